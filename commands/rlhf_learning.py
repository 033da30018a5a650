"""From answers to a gate and, with enough of them, to an updated policy; promoted or refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from commands.policies import ChosenPolicy
from commands.rlhf_answers import Feedback
from commands.rlhf_evidence import (
    Contest,
    between,
    contest,
    gate_agreement,
    policy_agreement,
)
from commands.rlhf_files import keep_update
from errors import DataError, InternalError
from models.feedback.answered_policy import AnsweredPolicy
from models.feedback.gate import GatedPolicy
from models.feedback.gate_card import GateCard, read_gate
from models.feedback.lineage import Ancestor, hashes, lineage_of
from models.feedback.preferences import Kept, Labels, labels_of, pairs_of
from models.feedback.promotion import (
    Check,
    Outcome,
    Predictions,
    promotion_checks,
)
from models.feedback.promotion_state import Promotion, advanced, decide, read_promotion
from models.feedback.update import (
    Update,
    margins,
    refuse_too_few,
    replay_states,
    update_policy,
)
from models.model_folder import TRAINED_FOLDER
from models.playback import play
from models.policy_network import NetworkPolicy
from models.session_arrays import SessionArrays
from settings import Settings

if TYPE_CHECKING:
    from models.feedback.learning import GateReport, GateTerms

HELD_OUT_SHARE = 0.2
"""Last part of the answers, in time, that an update does not learn from and is judged by."""


@dataclass(frozen=True, eq=False)
class GateResult:
    """A gate as it may be used, and how it was judged."""

    report: "GateReport"
    checks: Sequence[Check]
    promotion: Promotion
    contest: Contest
    card: GateCard


@dataclass(frozen=True, eq=False)
class PolicyResult:
    """An update of the policy, or why there is none; `folder` where it was promoted."""

    why: str
    update: Update | None = None
    checks: Sequence[Check] = ()
    promotion: Promotion | None = None
    contest: Contest | None = None
    folder: Path | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def line_of(chosen: ChosenPolicy) -> list[Ancestor]:
    """The model and its ancestors. Raises `ModelError` where one is missing."""
    if chosen.card is None:
        raise InternalError("a policy without a card has no lineage")
    own = chosen.card.model_copy(update={"policy_sha256": chosen.sha256})
    return lineage_of(own, TRAINED_FOLDER)


def learn(
    feedback: Feedback, chosen: ChosenPolicy, terms: "GateTerms", folder: Path, now: datetime
) -> "GateReport":
    """As `report_on`. Raises `DataError` where nobody answered yet, or always in the same way."""
    report = report_on(feedback, chosen, terms, folder, now)
    if report.card is None:
        notes = f" ({'; '.join(report.notes)})" if report.notes else ""
        raise DataError(report.why + notes)
    return report


def report_on(
    feedback: Feedback, chosen: ChosenPolicy, terms: "GateTerms", folder: Path, now: datetime
) -> "GateReport":
    """The gate's fit on all answers to the model and its ancestors.

    Raises `DataError` where all answers were given to other models.
    """
    from models.feedback.learning import learn_gate

    former = read_gate(folder, chosen.sha256)
    return learn_gate(
        feedback.table,
        chosen.policy.name,
        chosen.sha256,
        terms,
        between,
        now,
        lineage=hashes(line_of(chosen)),
        former=former,
        consistency=feedback.consistency,
    )


def judge_gate(
    report: "GateReport",
    feedback: Feedback,
    chosen: ChosenPolicy,
    arrays: SessionArrays | None,
    settings: Settings,
    folder: Path,
    now: datetime,
) -> GateResult:
    """Hold the gate against no gate; it may veto once it is active.

    What it costs is what the person would have said y to, so that both are played as answered by
    somebody who says y with the fitted probability.
    """
    card = report.card
    assert card is not None  # `learn` saw to it
    vetoing = card.model_copy(update={"mode": "veto"}).gate().without_probes()
    gated = GatedPolicy(chosen.policy, vetoing)
    both = [
        AnsweredPolicy(policy, card.acceptance, settings.seed) for policy in (chosen.policy, gated)
    ]
    held = contest(both[0], both[1], arrays, settings, asked=(chosen.policy, gated))
    said = report.foretold.yes > 0.5
    predictions = Predictions(report.foretold.probability, True, said)
    agreed = gate_agreement(report.foretold.probability, said, card.tau)
    checks = promotion_checks(predictions, agreed, held.figures, settings.seed)
    promotion = gate_state(folder, feedback, chosen.sha256, checks, report.answers, now)
    return GateResult(report, checks, promotion, held, _allowed(card, promotion))


def gate_state(
    folder: Path,
    feedback: Feedback,
    sha256: str,
    checks: Sequence[Check],
    answers: int,
    now: datetime,
) -> Promotion:
    """The state of the gate in `folder`: begun anew where there was none or it was refused.

    A session counts for the shadow where it began after the promotion and its suggestions were
    judged by a gate over this policy.
    """
    former = read_promotion(folder)
    if former is None or former.kind != "gate" or former.status == "refused":
        return decide("gate", sha256, checks, answers, now)
    looked = [
        seen.day
        for seen in feedback.sessions
        if seen.gates and seen.model_sha256 == sha256 and seen.started > former.decided
    ]
    return advanced(former, looked, checks).model_copy(update={"answers": answers})


def policy_state(folder: Path, feedback: Feedback, sha256: str) -> Promotion | None:
    """The state of an updated policy in `folder` after the sessions it has seen; None for others.

    Its checks were passed when it was made; sessions that began later and ran it count.
    """
    former = read_promotion(folder)
    if former is None or former.kind != "policy":
        return None
    ran = [
        seen.day
        for seen in feedback.sessions
        if seen.model_sha256 == sha256 and seen.started > former.decided
    ]
    return advanced(former, ran, [Check(one.name, one.outcome, one.why) for one in former.checks])


def _allowed(card: GateCard, promotion: Promotion) -> GateCard:
    """The card as it may be used: a veto takes an active promotion."""
    if card.mode != "veto" or promotion.status == "active":
        return card
    return card.model_copy(update={"mode": "advise", "why": f"may not veto yet: {promotion.line}"})


def update(
    feedback: Feedback,
    chosen: ChosenPolicy,
    arrays: SessionArrays | None,
    settings: Settings,
    model: str,
    name: str,
    now: datetime,
) -> PolicyResult:
    """Update the policy where there are answers enough, judge it, and keep it if it passes."""
    line = line_of(chosen)
    kept = labels_of(feedback.table, hashes(line), feedback.consistency)
    pairs, notes = pairs_of(feedback.table, feedback.comparisons, feedback.consistency)
    told = [*kept.notes, *notes]
    try:
        refuse_too_few(kept.labels, pairs)
    except DataError as error:
        return PolicyResult(str(error), notes=told)
    if arrays is None:
        return PolicyResult("there is no held-out session to replay and to judge on", notes=told)
    assert chosen.card is not None and isinstance(chosen.policy, NetworkPolicy)
    first, last = _split(kept)
    replay = replay_states(play(chosen.policy, arrays, settings).decisions, seed=settings.seed)
    try:
        done = update_policy(
            chosen.policy.network, first, replay, pairs, chosen.card.standardisation
        )
    except DataError as error:
        return PolicyResult(str(error), notes=told)
    candidate = NetworkPolicy(f"{chosen.policy.name}, updated", done.network)
    predictions = Predictions(margins(done.network, last.features, last.action), False, last.said)
    agreed = policy_agreement(
        chosen.policy, candidate, last.features, last.action, last.said, last.weight
    )
    held = contest(chosen.policy, candidate, arrays, settings)
    checks = [
        leash_check(done),
        *promotion_checks(predictions, agreed, held.figures, settings.seed),
    ]
    promotion = decide("policy", chosen.sha256, checks, len(kept.labels) + len(pairs), now)
    if promotion.status == "refused":
        return PolicyResult(promotion.line, done, checks, promotion, held, notes=told)
    folder = keep_update(done, chosen, model, name, promotion, now)
    return PolicyResult(promotion.line, done, checks, promotion, held, folder, told)


def _split(kept: Kept) -> tuple[Labels, Labels]:
    """The first answers to learn from, the last ones to judge by."""
    count = len(kept.labels)
    first = count - round(HELD_OUT_SHARE * count)
    return kept.labels.part(slice(None, first)), kept.labels.part(slice(first, None))


def leash_check(done: Update) -> Check:
    """Something was learned, and the policy stayed near its parent."""
    from models.feedback.update import MOST_KL

    good = done.steps > 0 and done.kl <= MOST_KL
    why = f"KL to the parent {done.kl:.3f} after {done.steps} steps, at most {MOST_KL:g} is allowed"
    if not done.steps:
        why = f"the first step would have passed a KL of {MOST_KL:g}: nothing was learned"
    return Check("leash", Outcome.PASSED if good else Outcome.FAILED, why)


def utc_now() -> datetime:
    """The wall's time."""
    return datetime.now(UTC)
