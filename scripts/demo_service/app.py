"""A small order service to try snap on; its background threads carry two planted troubles."""

import time
from decimal import Decimal

import background
from flask import Blueprint, Flask, Response, jsonify, request

_shop = Blueprint("shop", __name__)
_PRICES = {"tea": Decimal("4.20"), "coffee": Decimal("6.50"), "cocoa": Decimal("5.10")}


@_shop.post("/orders")
def place_order() -> Response:
    """Price an order and leave a record for the audit."""
    item = request.args.get("item", "tea")
    quantity = int(request.args.get("quantity", "1"))
    total = _PRICES[item] * quantity
    background.records.put(f"{quantity} x {item} = {total}")
    return jsonify(item=item, quantity=quantity, total=str(total))


@_shop.get("/report")
def report() -> Response:
    """Answer slowly, as a report does, so that a dump meets busy request threads."""
    prices = sorted(_PRICES.values())
    time.sleep(0.2)
    return jsonify(lowest=str(prices[0]), highest=str(prices[-1]))


def create_app() -> Flask:
    """Make the application of one worker and start its background threads."""
    app = Flask(__name__)
    app.register_blueprint(_shop)
    background.start()
    return app
