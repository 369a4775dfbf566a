"""`POST /predict`, the replaced app's contract: `{"prediction": 7}`, or `{"error": …}` with 400."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from . import answers
from .service import service
from .uploads import check_query, form_file, switch

predict = Blueprint("predict", __name__)


def post_predict() -> Any:
    """The character in the form's file, with its confidence and the next best; `?glyph=1` adds the glyph."""
    check_query("glyph")
    with_glyph = switch("glyph")
    prediction = service().predict(form_file())
    if prediction.label is None:
        return {"error": prediction.reason}, 400
    answer = {
        "prediction": answers.number_or_text(prediction.label),
        "confidence": round(prediction.confidence, answers.SHARE_DIGITS),
        "top": answers.top(prediction),
    }
    if with_glyph and prediction.glyph is not None:
        answer["glyph"] = answers.glyph_png(prediction.glyph)
    return answer


predict.add_url_rule("/predict", view_func=post_predict, methods=["POST"])
