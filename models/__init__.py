"""glyphlite.models: the shipped bundles and the sample images; `glyphlite models list` tells of them."""
