"""glyphlite.webapp: the Flask app.  A photo is posted, its character comes back, on a page or as JSON.

from glyphlite.webapp import create_app
create_app({"MODEL": "digits-edge"}).run()
"""

from .app import create_app

__all__ = ["create_app"]
