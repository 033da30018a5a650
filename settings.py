"""Every setting once: its name, default, bounds and help.

The same definitions serve `config.toml` < environment (`ZDTE_RULES__PROFIT_TARGET=0.5`) < command
line (`--capital 80000`, or `--set rules.profit_target=0.5` for those without a flag of their own).
`commands/options.py` turns them into flags; nothing else states a default. All figures are frozen
once loaded: a run cannot change its own rules.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

YearConvention = Literal["calendar", "trading", "t252", "vendor"]
Interval = Literal["1s", "5s", "10s", "15s", "30s", "1m", "5m", "10m", "15m", "30m", "1h"]
SIMULATED = "simulated"
"""What `data` says where it names no folder."""

DEFAULT_FOLDER = Path("data")
"""The chain store that is filled where `data` names none."""

SECRET = "***"
"""How a secret is written wherever settings are."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RiskSettings(_Frozen):
    """Weights of `risk_score`; its version is in every model card."""

    size_weight: Fraction = Field(0.32, description="weight of open contracts / --contracts")
    elapsed_weight: Fraction = Field(0.18, description="weight of minutes since the open / 390")
    volatility_weight: Fraction = Field(0.50, description="weight of atm_iv / its reference")
    volatility_reference: float = Field(0.50, gt=0, description="atm_iv that counts as full risk")


class RuleSettings(_Frozen):
    """The trading rules the model was trained under. A model's card carries its own copy."""

    entry_after_open: float = Field(30.0, ge=0, description="minutes after the open, inclusive")
    entry_before_close: float = Field(30.0, ge=1, description="minutes before the close, inclusive")
    decision_minutes: float = Field(5.0, gt=0, description="length of a decision slot in minutes")
    band_low: Fraction = Field(0.3, description="risk_score below this is the low band")
    band_high: Fraction = Field(0.6, description="risk_score from this on is the high band")
    wait_minutes: tuple[float, float, float] = Field(
        (120.0, 180.0, 240.0), description="wait after an answered entry, by risk band"
    )
    wait_after_skip: float = Field(15.0, ge=0, description="minutes after a skip or a time-out")
    waits: Literal["answered", "strict"] = Field(
        "answered", description="'strict' counts every suggestion that was shown"
    )
    small_capital: float = Field(100_000.0, description="below this, one contract or none")
    small_capital_risk: Fraction = Field(0.5, description="from this risk_score on: none")
    quantities: tuple[int, int, int] = Field((3, 2, 1), description="contracts by risk band")
    stop_multiples: tuple[float, float, float] = Field(
        (3.0, 4.0, 5.0), description="stop at this multiple of the entry price, by risk band"
    )
    spread_cents: float = Field(5.0, ge=0, description="a spread up to this is always allowed")
    spread_fraction: Fraction = Field(0.10, description="or up to this fraction of the mid")
    quote_age_seconds: float = Field(5.0, gt=0, description="older quotes never trade")
    drift_ticks: int = Field(3, ge=0, description="ticks against us between question and answer")
    question_seconds: float = Field(60.0, gt=0, description="a question is open this long")
    daily_loss: Fraction = Field(
        0.02, gt=0, description="of capital, from the day's open and its peak"
    )
    margin: Literal["strike", "reg_t"] = Field(
        "strike", description="capital rule: strike x 100, or Regulation T"
    )
    profit_target: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="close when this fraction of the premium is earned; none is off"
    )
    time_exit_minutes: float = Field(15.0, ge=1, description="minutes before the close")
    hold_to_expiry: bool = Field(False, description="no time exit: settle at the close instead")
    strike: str = Field(
        "atm", pattern=r"^(atm|otm|delta=0?\.\d+)$", description="atm, otm or delta=0.20"
    )
    events: Path | None = Field(None, description="events.csv: date,time,name,before,after,action")


class FillSettings(_Frozen):
    """How simulated orders are filled and what they cost."""

    latency_seconds: float = Field(0.0, ge=0, description="from decision to the market")
    slippage: float = Field(0.0, ge=0, description="dollars worse than the quote, each fill")
    fee_minimum: float = Field(1.00, ge=0, description="dollars an order, at least")
    fee_per_contract: float = Field(0.65, ge=0, description="commission, dollars a contract")
    fee_exchange: float = Field(0.05, ge=0, description="exchange fees, dollars a contract")


class MarketSettings(_Frozen):
    """How market data is read."""

    year_convention: YearConvention = Field(
        "calendar", description="how the time to expiry becomes a year fraction"
    )
    close_from_last_quote: bool = Field(
        False, description="settle on the last quote where no official close is known"
    )


class ThetaSettings(_Frozen):
    """How a Theta Terminal is reached and started: docs/theta.md."""

    url: str = Field("http://127.0.0.1:25503", description="its REST address (--theta-url)")
    ws: str = Field("ws://127.0.0.1:25520/v1/events", description="its stream (--theta-ws)")
    concurrency: int = Field(
        2, ge=1, le=8, description="requests at a time: Free 1, Value 2, Standard 4, Pro 8"
    )
    interval: Interval = Field("1m", description="spacing of downloaded snapshots")
    key: SecretStr | None = Field(
        None, description="API key; the environment's THETADATA_API_KEY is safer than a flag"
    )
    creds_file: Path | None = Field(None, description="e-mail and password on two lines, instead")
    terminal: Path | None = Field(
        None, description="ThetaTerminalv3.jar, started where no terminal answers"
    )

    @field_validator("key")
    @classmethod
    def _hidden_is_none(cls, key: SecretStr | None) -> SecretStr | None:
        """A run's own config.toml has the key hidden: that is no key."""
        return None if key is None or key.get_secret_value() in ("", SECRET) else key

    @field_serializer("key")
    def _hide(self, key: SecretStr | None) -> str | None:
        return None if key is None else SECRET


class LiveSettings(_Frozen):
    """The live desk: docs/live.md."""

    bar_seconds: int = Field(60, ge=1, le=60, description="length of a live bar in seconds")
    exits: Literal["plan", "ask"] = Field(
        "plan", description="'ask' puts exits before the person too, instead of the plan"
    )
    repeat_seconds: float = Field(30.0, gt=0, description="an exit that is asked is asked again")
    journal: Path | None = Field(
        None, description="its file; default runs/journal.db, practice: runs/practice.db"
    )
    kill_file: Path = Field(Path("runs/KILL"), description="the desk stops trading when it appears")
    watchdog: bool = Field(True, description="a second process that rings when the desk is silent")
    watchdog_seconds: float = Field(10.0, gt=0, description="silence after which it rings")
    alarm: str | None = Field(None, description="a command the watchdog runs, beside the bell")
    paper_sessions: int = Field(
        20, ge=0, description="paper sessions without drift that a live account needs"
    )
    capped_sessions: int = Field(
        20, ge=0, description="first live sessions, held to one contract at a time"
    )
    web_host: str = Field("127.0.0.1", description="address of the web page; others need TLS")
    web_port: int = Field(8710, ge=0, le=65535, description="of the web page; 0 for any")
    web_names: tuple[str, ...] = Field((), description="names the page may be asked by, with TLS")
    web_certificate: Path | None = Field(None, description="TLS certificate of the page, PEM")
    web_key: Path | None = Field(None, description="its private key, PEM")
    notify: SecretStr | None = Field(
        None, description="where suggestions are sent: addresses of apprise, spaces between"
    )

    @field_validator("notify")
    @classmethod
    def _hidden_is_none(cls, notify: SecretStr | None) -> SecretStr | None:
        """A run's own config.toml has the addresses hidden: those are none."""
        return None if notify is None or notify.get_secret_value() in ("", SECRET) else notify

    @field_serializer("notify")
    def _hide(self, notify: SecretStr | None) -> str | None:
        return None if notify is None else SECRET


class IBSettings(_Frozen):
    """Interactive Brokers: docs/live.md."""

    host: str = Field("127.0.0.1", description="of TWS or IB Gateway (--ib-host)")
    port: int = Field(4002, ge=1, le=65535, description="of TWS or IB Gateway (--ib-port)")
    client_id: int = Field(17, ge=1, description="orders belong to the id that placed them")
    account: str | None = Field(None, description="the paper account, where there are several")
    live_account: str | None = Field(
        None, description="trade this live account (--live-account), never by default"
    )
    answer_seconds: float = Field(8.0, gt=0, description="a request without an answer has failed")
    silence_seconds: float = Field(10.0, gt=0, description="a line without a heartbeat is dead")
    walk_seconds: float = Field(3.0, gt=0, description="an entry waits so long at each tick")
    exit_step_seconds: float = Field(4.0, gt=0, description="an exit waits so long at each price")
    native_stop: bool = Field(True, description="a stop order at IB behind the desk's own stop")
    native_stop_factor: float = Field(1.25, ge=1, description="its price, times the desk's stop")
    trigger_method: Literal[1, 2, 3, 4, 7, 8] = Field(
        8, description="how it triggers: 8 mid, 1 double bid/ask, 4 bid/ask, 2 last, ..."
    )
    margin_fraction: Fraction = Field(
        0.5, gt=0, description="initial margin may take so much of the excess liquidity"
    )


class TrainingSettings(_Frozen):
    """How `run.py train` trains. Defaults as measured in docs/models.md."""

    steps: int = Field(2_000_000, ge=1, description="decisions a seed is trained on")
    seeds: int = Field(5, ge=1, description="trainings; the best on validation sessions is kept")
    sessions: int = Field(1000, ge=10, description="simulated sessions to train and validate on")
    held_out: int = Field(65, ge=1, description="last sessions that no training sees")
    validation: Fraction = Field(0.2, description="last part of the others, to choose the seed by")
    actions: Literal[3, 4] = Field(3, description="4 adds close to hold, sell call and sell put")
    environments: int = Field(256, ge=1, description="sessions played side by side")
    rollout: int = Field(78, ge=1, description="decisions of each between two updates")
    batch: int = Field(1664, ge=2, description="decisions a gradient step")
    epochs: int = Field(6, ge=1, description="passes over each rollout")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's, falling to zero at the end")
    entropy: float = Field(0.003, ge=0, description="weight of the entropy bonus")
    discount: float = Field(1.0, gt=0, le=1, description="1: a session is a finite episode")
    advantage_decay: Fraction = Field(1.0, description="lambda of the advantage estimate")
    first_hold: float = Field(0.95, gt=0, lt=1, description="probability of hold before training")
    clip: float = Field(0.2, gt=0, description="PPO's bound on a change of probability")
    layers: tuple[int, ...] = Field((64, 64), description="hidden units of actor and of critic")
    hedge: bool = Field(True, description="take delta x move of SPY out of the training reward")
    drawdown_penalty: float = Field(0.0, ge=0, description="reward lost a dollar of new drawdown")
    tail_penalty: float = Field(0.0, ge=0, description="reward lost a dollar beyond tail_loss")
    tail_loss: float = Field(500.0, ge=0, description="dollars a session may lose unpunished")
    spot_range: tuple[float, float] = Field(
        (0.5, 1.5), description="an episode's price level is observed scaled by a draw from this"
    )


class Settings(BaseSettings):
    """All settings of a run."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        env_prefix="ZDTE_",
        env_nested_delimiter="__",
        toml_file="config.toml",
    )

    data: str = Field(SIMULATED, description="a chain store's folder, or 'simulated'")
    start: date | None = Field(None, description="first session (--from)")
    end: date | None = Field(None, description="last session (--to)")
    sessions: int = Field(60, ge=1, description="simulated sessions when no --from is given")
    model: str = Field("bundled", description="a model's name or path")
    policy: str | None = Field(None, description="a policy that is no model, sell_put@10:00 say")
    capital: float = Field(80_000.0, gt=0, description="dollars the desk may use")
    broker: Literal["simulated", "ib"] = Field("simulated", description="who fills live orders")
    contracts: int = Field(1, ge=1, le=1000, description="most contracts at a time")
    seed: int = Field(0, ge=0, description="seed of everything random")
    out: Path | None = Field(None, description="the run's folder; default a new one in runs/")
    risk: RiskSettings = Field(default_factory=RiskSettings)
    rules: RuleSettings = Field(default_factory=RuleSettings)
    fills: FillSettings = Field(default_factory=FillSettings)
    market: MarketSettings = Field(default_factory=MarketSettings)
    theta: ThetaSettings = Field(default_factory=ThetaSettings)
    live: LiveSettings = Field(default_factory=LiveSettings)
    ib: IBSettings = Field(default_factory=IBSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)

    @property
    def filled_folder(self) -> Path:
        """The chain store that downloads, imports and live sessions fill."""
        return DEFAULT_FOLDER if self.data == SIMULATED else Path(self.data)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over the environment over `config.toml` in the working folder."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
