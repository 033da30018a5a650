"""The long messages of the protocol as names in their order, each with what it is left at.

A layout is written `name` or `name=value`. A value of `*` is IB's number for "unset".
"""

from collections.abc import Mapping

from brokers.ib_gateway.wire import UNSET_DOUBLE, WireError

Layout = tuple[tuple[str, str], ...]


def layout(words: str) -> Layout:
    """A layout from its words."""
    pairs = (word.partition("=") for word in words.split())
    return tuple((name, UNSET_DOUBLE if value == "*" else value) for name, _, value in pairs)


def fill_in(what: Layout, values: Mapping[str, object]) -> list[object]:
    """The fields of a message. Raises `WireError` for a value that has no place in it."""
    stray = values.keys() - {name for name, _ in what}
    if stray:
        raise WireError(f"no such field: {', '.join(sorted(stray))}")
    return [values.get(name, value) for name, value in what]


CONTRACT = layout(
    "con_id symbol security expiration strike right multiplier exchange currency local_symbol"
    " trading_class"
)

TERMS = layout(
    "action quantity order_type limit=0.0 stop=0.0 tif oca_group account open_close origin=0"
    " order_ref"
)

OPEN_ORDER = (
    *layout("kind=5 order_id"),
    *CONTRACT,
    *TERMS,
    *layout("client_id permanent_id outside_hours=0 hidden=0 discretionary=0 good_after"),
    *layout("shares_allocation advisor_group advisor_method advisor_share advisor_profile model"),
    *layout("good_till rule_80a percent_offset settling_firm short_slot=0 location exempt=-1"),
    *layout("auction=0 starting reference_price delta range_low range_high display block=0"),
    *layout("sweep=0 all_or_none=0 least oca_type=3 electronic=0 firm_quote=0 cap parent=0"),
    *layout("trigger_method volatility volatility_type=0 neutral_type neutral_price"),
    *layout("continuous=0 reference_type=0 trail_stop trail_percent basis basis_type legs_text"),
    *layout("legs=0 leg_prices=0 routing=0 scale_first scale_next scale_step hedge opt_out=0"),
    *layout("clearing_account clearing_intent=IB not_held=0 neutral_contract=0 algorithm"),
    *layout("solicited=0 what_if=0 status"),
    *layout("initial_before=* kept_before=* equity_before=* initial_change=* kept_change=*"),
    *layout("equity_change=* initial_after=* kept_after=* equity_after=* commission=*"),
    *layout("least_commission most_commission commission_currency warning"),
    *layout("random_size=0 random_price=0 conditions=0 adjusted_type=None trigger_price=*"),
    *layout("adjusted_trail=* limit_offset=* adjusted_stop=* adjusted_limit=* adjusted_amount=*"),
    *layout("adjusted_unit=0 tier_name tier_value tier_text cash_quantity no_hedge_price=0"),
    *layout("container=0 discretionary_limit=0 price_management"),
)

COMPLETED_ORDER = (
    *layout("kind=101"),
    *CONTRACT,
    *TERMS,
    *layout("permanent_id outside_hours=0 hidden=0 discretionary=0 good_after advisor_group"),
    *layout("advisor_method advisor_share advisor_profile model good_till rule_80a percent_offset"),
    *layout("settling_firm short_slot=0 location exempt=-1 starting reference_price delta"),
    *layout("range_low range_high display sweep=0 all_or_none=0 least oca_type=3 trigger_method"),
    *layout("volatility volatility_type=0 neutral_type neutral_price continuous=0"),
    *layout("reference_type=0 trail_stop trail_percent legs_text legs=0 leg_prices=0 routing=0"),
    *layout("scale_first scale_next scale_step hedge clearing_account clearing_intent=IB"),
    *layout("not_held=0 neutral_contract=0 algorithm solicited=0 status random_size=0"),
    *layout("random_price=0 conditions=0 last_trail=* last_offset=* cash_quantity"),
    *layout("no_hedge_price=0 container=0 cancel_date filled future cancel_parent=0 shareholder"),
    *layout("imbalance=0 route_to_bbo=0 parent_permanent ended_at ended"),
)

PEGGED = layout("least_trade least_compete compete_offset mid_whole mid_half")
"""The end of both since version 170."""

CONTRACT_DETAILS = (
    *layout("request symbol security expiration strike right exchange currency local_symbol"),
    *layout("market_name trading_class con_id tick=0.01"),
)

CONTRACT_DETAILS_END = (
    *layout("multiplier order_types exchanges magnifier=1 under_id=0 long_name primary month"),
    *layout("industry category subcategory zone trading_hours liquid_hours rule rule_multiplier"),
    *layout("ids=0 group=1 under_symbol under_security market_rules real_expiration stock_type"),
)

ASKED_CONTRACT = layout(
    "con_id symbol security expiration strike right multiplier exchange primary currency"
    " local_symbol trading_class"
)

PLACE_ORDER = (
    *layout("kind order_id"),
    *ASKED_CONTRACT,
    *layout("id_kind id action quantity order_type limit stop tif oca_group account open_close"),
    *layout("origin order_ref transmit parent block sweep display trigger_method outside_hours"),
    *layout("hidden shares_allocation discretionary good_after good_till advisor_group"),
    *layout("advisor_method advisor_share advisor_profile model short_slot location exempt"),
    *layout("oca_type rule_80a settling_firm all_or_none least percent_offset electronic"),
    *layout("firm_quote cap auction starting reference_price delta range_low range_high"),
    *layout("override volatility volatility_type neutral_type neutral_price continuous"),
    *layout("reference_type trail_stop trail_percent scale_first scale_next scale_step"),
    *layout("scale_table active_from active_to hedge opt_out clearing_account clearing_intent"),
    *layout("not_held neutral_contract algorithm algorithm_id what_if misc solicited"),
    *layout("random_size random_price conditions"),
)
"""Up to where fields depend on each other; those whose use would move the others are refused."""

NOT_SIMULATED = {
    "oca_group": "an OCA group",
    "parent": "a child order",
    "good_after": "goodAfterTime",
    "good_till": "goodTillDate",
    "least": "minQty",
    "all_or_none": "all or none",
    "neutral_type": "a delta neutral order",
    "neutral_contract": "a delta neutral contract",
    "scale_step": "a scale order",
    "hedge": "a hedge order",
    "algorithm": "an algorithm",
    "conditions": "a conditional order",
}
