"""Generate the raw tables of the webshop: access logs, customers, products, orders, reviews, and the truth.

Every customer has fixed traits and a hidden state (idle, browsing, intent) that changes once a day. State and traits
drive the sessions, the steps towards a purchase, and the daily chance to buy. That chance is a Markov chain, so the
probability to buy within seven days of a cut-off is known exactly; it goes to `truth/`, apart from the raw tables.

Customers are simulated in chunks, day by day, and every chunk has its own random stream. So memory does not grow with
`--events`, and the same seed and scale give the same bytes whatever the number of processes and hosts.
"""

import gzip
import json
import multiprocessing
import os
import signal
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from common.command import InputError, Parser, run
from common.dataset import Dataset

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

RESOURCES = Path("/opt/ml/config/resourceconfig.json")
"""Where a Processing job says which of its hosts this is (SageMaker developer guide, read 2026-11-22)."""

OUTPUT = Path("/opt/ml/processing/output")
TABLES = ("logs", "customers", "products", "orders", "reviews", "truth")

START = 1_767_225_600
"""2026-01-01 00:00:00 UTC in epoch seconds, the first day of the logs."""

DAYS = 91
DAY = 86_400
HORIZON = 7
"""Days that the label looks ahead."""

EVENTS_PER_CUSTOMER = 23
"""Mean number of log lines per customer over all days, strangers, robots and dirty lines included."""

SITE = "https://shop.example.com"

# --- The hidden model. Rows and columns: idle, browsing, intent. --------------------------------------------

# Tuned so that the true probabilities reach an AUC of about 0.81 with a tenth of the customers buying, and so that a
# model can come close to that: states last for weeks and show in the sessions of a few days.

IDLE, BROWSING, INTENT = range(3)
WAKE = (0.0008, 0.0021)  # idle -> browsing, intent: times the customer's activity
SETTLE = (0.10, 0.03)  # browsing -> idle, intent
COOL = (0.010, 0.001)  # intent -> idle, browsing
BUY = np.array([0.0045, 0.009, 0.080])  # chance to buy on a day; with intent, times the propensity
SATISFIED = 0.005  # chance to be idle after a purchase
ACTIVITY_SHAPE = 20.0  # of the gamma distribution of activities: the higher, the more alike
PROPENSITY_SPREAD = 0.12  # of the lognormal distribution of propensities
BURN_IN = 270  # days simulated before the first one, so that the first day is like any other

SESSIONS = np.array([0.005, 0.30, 0.75])  # sessions a day
MAX_SESSIONS = 3
PAGES = np.array([0.4, 0.5, 0.2])  # pages of a session after the first
MAX_PAGES = 8
CART = np.array([0.01, 0.05, 0.20])  # chance that a session without a purchase fills the cart
CHECKOUT = 0.20  # chance that such a cart reaches the checkout
MAX_GAP = 90  # seconds between two pages of a session
VISITORS = 0.007  # anonymous sessions a day and customer
ROBOTS = 0.0025  # crawls a day and customer
ANONYMOUS_ENTRY = 0.15  # sessions whose first page comes before the login

# --- What the pages look like. ------------------------------------------------------------------------------

HOME, CATEGORY, SEARCH, PRODUCT, CART_PAGE, CHECKOUT_PAGE, ORDER_PAGE, ROBOTS_TXT = range(8)
REQUESTS = (
    "GET /",
    "GET /category/",
    "GET /search?q=",
    "GET /product/",
    "POST /cart?product=",
    "GET /checkout",
    "GET /order/",
    "GET /robots.txt",
)
PAGE_BYTES = np.array([18_000, 24_000, 21_000, 15_000, 400, 9_000, 7_000, 120])
FIRST_PAGE = np.cumsum([0.42, 0.18, 0.05, 0.35])
LATER_PAGE = np.cumsum([0.06, 0.24, 0.15, 0.55])

CATEGORIES = ("books", "coffee", "garden", "kitchen", "lighting", "music", "outdoor", "toys")
PRICES = (1_490, 890, 3_490, 2_990, 5_990, 7_900, 8_900, 2_190)
"""Typical price per category in cents."""
ADJECTIVES = ("Blue", "Compact", "Classic", "Folding", "Little", "Nordic", "Quiet", "Sturdy", "Summer", "Travel")
NOUNS = ("Companion", "Set", "Box", "Collection", "Edition", "Kit", "Piece", "Pair")
WORDS = ("gift", "lamp", "beans", "novel", "tent", "pan", "guitar", "puzzle", "bench", "mug", "torch", "strings")
COUNTRIES = ("DE", "FR", "IT", "ES", "NL", "AT", "PL", "SE")

DESKTOP, MOBILE, TABLET, ROBOT = range(4)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/26.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    'Mozilla/5.0 (compatible; Intranet \\"Kiosk\\" 2.1)',  # servers escape a quote with a backslash
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/26.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 15; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0",
    "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/604.1",
    "Mozilla/5.0 (Android 15; Tablet; rv:146.0) Gecko/146.0 Firefox/146.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
)
AGENTS_OF = ((0, 1, 2, 3), (4, 5, 6), (7, 8), (9, 10))
"""Device to its agents."""
DEVICES = np.cumsum([0.45, 0.45, 0.10])

REFERRERS = (
    "-",
    "https://www.google.com/",
    "https://duckduckgo.com/",
    "https://www.bing.com/",
    "https://mail.example.com/campaign?utm_medium=email",
    "https://www.facebook.com/",
    "https://www.instagram.com/",
)
REFERRED = np.cumsum(
    [
        [0.22, 0.22, 0.05, 0.06, 0.25, 0.10, 0.10],
        [0.25, 0.38, 0.08, 0.07, 0.08, 0.08, 0.06],
        [0.52, 0.22, 0.05, 0.05, 0.08, 0.04, 0.04],
    ],
    axis=1,
)
"""Where a session comes from, by hidden state."""

# No session starts after 22:30: even three long ones end before midnight, and a day's folder holds whole sessions.
HOURS = np.array([4, 2, 1, 1, 1, 2, 5, 9, 12, 14, 15, 16, 17, 15, 14, 14, 15, 17, 20, 23, 25, 22, 7], dtype=np.float64)
HOURS_CDF = np.cumsum(HOURS) / HOURS.sum()
LAST_START = DAY - 5_400

PRAISE = (
    "Exactly what I was looking for.",
    "Arrived after two days, well packed.",
    "Great quality for the price.",
    "My whole family loves it.",
    "Looks even better than in the picture.",
    "Would buy it again.",
    "Perfect for our little café.",
)
NEUTRAL = ("It does what it should.", "Delivery took a week.", "The colour is a bit different.", "Fine for the price.")
COMPLAINTS = (
    "Broke after three days.",
    "The parcel arrived late and damaged.",
    "I sent it back.",
    "Smaller than described.",
    "Nobody answered my questions.",
    "Not worth the money.",
)

# --- What is wrong with the lines: about one in a hundred. --------------------------------------------------

SPOILED = 0.006
"""Share of lines that are damaged; beside them come empty lines and repeated ones."""
EMPTY = 0.0005
REPEATED = 0.0035
OVERLONG = 40_000
"""Characters in an overlong line."""


@dataclass(frozen=True)
class Plan:
    """What to generate: the same for every process and host.

    Attributes:
        events: approximate number of log lines.
        seed: seed of all random streams.
        output: the folder that receives the tables.
        customers: number of customers.
        products: number of products.
        chunks: number of customer chunks; each is one file per table and day.
        cutoffs: split to day number, counted from START.
    """

    events: int
    seed: int
    output: Path
    customers: int
    products: int
    chunks: int
    cutoffs: dict[str, int]

    @classmethod
    def of(cls, events: int, seed: int, output: Path) -> "Plan":
        """Derive the sizes from the number of events and the cut-offs from dataset.toml beside this file."""
        cutoffs = Dataset.load(Path(__file__).parent).cutoffs
        return cls(
            events=events,
            seed=seed,
            output=output,
            customers=round(events / EVENTS_PER_CUSTOMER),
            products=min(max(events // 1_000, 40), 2_000),
            # 2 files a day at most scales of a test, 4 at 200 thousand events, 14 at 5 million, 63 at 200 million:
            # enough to keep cores busy, and files that grow with the scale.
            chunks=max(2, round(4 * (events / 200_000) ** 0.4)),
            cutoffs={split: (cutoff - START) // DAY for split, cutoff in cutoffs.items()},
        )

    def customers_of(self, chunk: int) -> tuple[int, int]:
        """First customer number (from 0) of a chunk and of the next one."""
        return self.customers * chunk // self.chunks, self.customers * (chunk + 1) // self.chunks


# --- Products -----------------------------------------------------------------------------------------------


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture (height, width, 3) as PNG."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], axis=1)

    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + part(b"IEND", b"")
    )


def products(plan: Plan) -> pa.Table:
    """Make all products; small enough for every process to make them itself."""
    rng = np.random.default_rng([plan.seed, 1])
    n = plan.products
    category = rng.integers(len(CATEGORIES), size=n)
    price = np.array(PRICES)[category] * rng.integers(50, 200, n) // 100 // 10 * 10 + 9
    adjective, noun = rng.integers(len(ADJECTIVES), size=n), rng.integers(len(NOUNS), size=n)
    colours = rng.integers(256, size=(n, 2, 3))
    pictures = []
    for number in range(n):
        # A shape of one colour on a ground of another; the category decides the shape.
        y, x = np.mgrid[-12:12, -12:12]
        turn = 1 + category[number]
        shape = (x * x + y * y + turn * np.abs(x * y) // 2) < 100
        pictures.append(png(np.where(shape[..., None], colours[number, 0], colours[number, 1]).astype(np.uint8)))
    names = [
        f"{ADJECTIVES[a]} {CATEGORIES[c].title()} {NOUNS[b]}" for a, b, c in zip(adjective, noun, category, strict=True)
    ]
    return pa.table(
        {
            "product_id": pa.array(np.arange(1, n + 1)),
            "name": names,
            "category": [CATEGORIES[c] for c in category],
            "price_cents": pa.array(price),
            "picture": pa.array(pictures, pa.binary()),
        }
    )


# --- Customers and their hidden chain -----------------------------------------------------------------------


def choose(rng: np.random.Generator, cumulative: Floats, size: int) -> Ints:
    """Draw indexes from one cumulative distribution."""
    return np.minimum(np.searchsorted(cumulative, rng.random(size), "right"), len(cumulative) - 1)


class Customers:
    """The customers of one chunk: traits, hidden states, and how the states move."""

    def __init__(self, plan: Plan, chunk: int, rng: np.random.Generator) -> None:
        """Draw the traits and let the chain run in."""
        first, after = plan.customers_of(chunk)
        n = self.count = after - first
        self.ids: Ints = np.arange(first + 1, after + 1)
        activity = rng.gamma(ACTIVITY_SHAPE, 1 / ACTIVITY_SHAPE, n)
        propensity = np.exp(PROPENSITY_SPREAD * rng.standard_normal(n))
        self.satisfaction = np.clip(0.5 + 0.35 * np.log(propensity) + 0.25 * rng.standard_normal(n), 0.05, 0.95)
        self.newsletter: Ints = (rng.random(n) < 0.35).astype(np.int64)
        self.reviewer: Floats = rng.beta(0.6, 1.4, n)
        self.country = rng.integers(len(COUNTRIES), size=n)
        device = choose(rng, DEVICES, n)
        pick = rng.random(n)
        agents = np.array([len(kind) for kind in AGENTS_OF])
        self.agent: Ints = np.array([kind[0] for kind in AGENTS_OF])[device] + (pick * pick * agents[device]).astype(
            np.int64
        )

        # Seven in eight were there before the first day. A new customer's chain starts on the day after registering.
        new = rng.random(n) < 0.125
        self.registered_day: Ints = np.where(new, rng.integers(DAYS, size=n), -1 - rng.integers(1_000, size=n))
        self.registered_at: Ints = START + self.registered_day * DAY + rng.integers(DAY, size=n)

        zeros = np.zeros(n)
        wake = np.clip(np.stack([zeros, activity * WAKE[0], activity * WAKE[1]], 1), 0, 0.3)
        wake[:, IDLE] = 1 - wake.sum(1)
        settle = np.tile([SETTLE[0], 1 - sum(SETTLE), SETTLE[1]], (n, 1))
        cool = np.tile([COOL[0], COOL[1], 1 - sum(COOL)], (n, 1))
        self.moves: Floats = np.stack([wake, settle, cool], 1)
        self.hazard: Floats = np.tile(BUY, (n, 1))
        self.hazard[:, INTENT] = np.minimum(BUY[INTENT] * propensity, 0.5)
        self.session_rate: Floats = SESSIONS * (1 + 0.25 * self.newsletter[:, None] * np.array([1.0, 0.0, 0.0]))

        self.state: Ints = np.zeros(n, dtype=np.int64)
        everybody = np.ones(n, dtype=bool)
        for _ in range(BURN_IN):
            self.step(rng, everybody)
        self.state[new] = BROWSING

    def step(self, rng: np.random.Generator, active: Bools) -> Bools:
        """Move the states by one day; returns who buys on that day, in the new state."""
        rows = np.arange(self.count)
        cumulative = np.cumsum(self.moves[rows, self.state], axis=1)
        moved = (rng.random(self.count)[:, None] >= cumulative[:, :2]).sum(1)
        self.state = np.where(active, moved, self.state)
        bought: Bools = (rng.random(self.count) < self.hazard[rows, self.state]) & active
        return bought

    def settle_buyers(self, rng: np.random.Generator, buys: Bools) -> None:
        """After the day: some who bought are satisfied."""
        self.state = np.where(buys & (rng.random(self.count) < SATISFIED), IDLE, self.state)

    def truth(self) -> Floats:
        """Exact probability to buy within HORIZON days of this moment, given state and traits.

        Buying is an absorbing state, so what happens after a purchase does not matter: the chance of no purchase is the
        mass left in the other states after HORIZON steps.
        """
        mass = np.zeros((self.count, 3))
        mass[np.arange(self.count), self.state] = 1.0
        for _ in range(HORIZON):
            mass = (mass[:, :, None] * self.moves).sum(1) * (1 - self.hazard)
        bought: Floats = np.round(1 - mass.sum(1), 9)
        return bought


# --- One day of sessions ------------------------------------------------------------------------------------


@dataclass
class Day:
    """The log events of one chunk and day, sorted by client and time, and the orders among them.

    Attributes:
        client: customer number within the chunk, or the chunk's size + visitor number.
        second: second of the day.
        page: kind of page.
        subject: what the page is about: a product id, an order id, or a number to pick a category or search word by.
        entry: whether the event is the first of its session.
        referrer: index into REFERRERS for entries.
        agent: index into AGENTS.
        anonymous: whether the user field is `-`.
        status: HTTP status.
        size: bytes sent.
    """

    client: Ints
    second: Ints
    page: Ints
    subject: Ints
    entry: Bools
    referrer: Ints
    agent: Ints
    anonymous: Bools
    status: Ints
    size: Ints


def simulate_day(
    customers: Customers, buys: Bools, active: Bools, order_ids: Ints, catalogue: int, rng: np.random.Generator
) -> Day:
    """Draw the sessions of a day for customers, strangers and robots."""
    n = customers.count
    state = customers.state
    expected = customers.session_rate[np.arange(n), state]
    sessions = np.minimum(rng.poisson(expected), MAX_SESSIONS) * active
    sessions = np.maximum(sessions, buys)
    client = np.repeat(np.arange(n), sessions)
    mood = state[client]
    # A purchase belongs to the customer's first session of the day.
    first = np.ones(len(client), dtype=bool)
    first[1:] = client[1:] != client[:-1]
    buying = buys[client] & first
    agent = customers.agent[client]

    strangers, robots = int(rng.poisson(n * VISITORS)), int(rng.poisson(n * ROBOTS))
    stranger_device = choose(rng, DEVICES, strangers)
    stranger_agent = np.array([kind[0] for kind in AGENTS_OF])[stranger_device]
    client = np.concatenate([client, n + np.arange(strangers + robots)])
    mood = np.concatenate([mood, np.full(strangers, BROWSING), np.full(robots, INTENT)])
    buying = np.concatenate([buying, np.zeros(strangers + robots, dtype=bool)])
    robot_agent = np.array(AGENTS_OF[ROBOT])[rng.integers(len(AGENTS_OF[ROBOT]), size=robots)]
    agent = np.concatenate([agent, stranger_agent, robot_agent])
    count = len(client)
    robot = client >= n + strangers

    # Steps of a session: pages, then perhaps cart, checkout, order.
    cart = (buying | (rng.random(count) < CART[mood])) & (client < n)
    checkout = cart & (buying | (rng.random(count) < CHECKOUT))
    pages = 1 + np.minimum(rng.poisson(PAGES[mood]), MAX_PAGES - 1)
    start = (choose(rng, HOURS_CDF, count) + rng.random(count)) * 3_600
    start = np.minimum(start.astype(np.int64), LAST_START)
    source = np.minimum((rng.random(count)[:, None] >= REFERRED[mood]).sum(1), len(REFERRERS) - 1)
    source[robot] = 0
    before_login = (rng.random(count) < ANONYMOUS_ENTRY) & ~buying
    # Few products get most of the interest.
    focus = 1 + (catalogue * rng.random(count) ** 2).astype(np.int64)

    order = np.lexsort((np.arange(count), start, client))
    client, mood, buying, agent, cart, checkout, pages, start, source, before_login, focus, robot = (
        column[order]
        for column in (client, mood, buying, agent, cart, checkout, pages, start, source, before_login, focus, robot)
    )

    # From sessions to events.
    length = pages + cart + checkout + buying
    session = np.repeat(np.arange(count), length)
    begin = np.cumsum(length) - length
    step = np.arange(len(session)) - begin[session]
    entry = step == 0
    total = len(session)
    draw = rng.random(total)
    page = np.where(entry, np.searchsorted(FIRST_PAGE, draw), np.searchsorted(LATER_PAGE, draw))
    page = np.minimum(page, PRODUCT)
    past = step - pages[session]
    page[(past == -1) & cart[session]] = PRODUCT
    page = np.where(past >= 0, CART_PAGE + past, page)
    page[entry & robot[session]] = ROBOTS_TXT

    subject = 1 + (catalogue * rng.random(total) ** 2).astype(np.int64)
    chosen = ((past == -1) & cart[session]) | (past == 0)
    subject = np.where(chosen, focus[session], subject)
    who = client[session]
    ordered = page == ORDER_PAGE
    subject[ordered] = order_ids[who[ordered]]

    # Seconds rise strictly for every client, so no two lines are equal by chance.
    gap = np.where(entry, 0, rng.integers(4, MAX_GAP, total))
    elapsed = np.cumsum(gap)
    second = start[session] + elapsed - elapsed[begin[session]]
    ranked = who * (4 * DAY) + second - np.arange(total)
    second = np.maximum.accumulate(ranked) + np.arange(total) - who * (4 * DAY)

    luck = rng.random(total)
    status = np.full(total, 200)
    status[(luck < 0.030) & (page <= PRODUCT)] = 304
    status[(luck < 0.010) & (page <= PRODUCT)] = 404
    status[(luck < 0.002) & (page <= CART_PAGE)] = 500
    status[(page == CART_PAGE) & (status == 200)] = 303
    size = PAGE_BYTES[page] * rng.integers(80, 120, total) // 100
    size[status == 304] = 0
    size[status == 404] = 1_245

    return Day(
        client=who,
        second=second,
        page=page,
        subject=subject,
        entry=entry,
        referrer=source[session],
        agent=agent[session],
        anonymous=(who >= n) | (entry & before_login[session]),
        status=status,
        size=size,
    )


# --- From events to lines -----------------------------------------------------------------------------------


def texts(values: Ints) -> pa.Array:
    """Numbers as text."""
    return pc.cast(pa.array(values), pa.string())


def addresses(numbers: Ints) -> pa.Array:
    """One IPv4 address for every number below 2**28, in 240.0.0.0/4: reserved, so these are nobody's addresses."""
    mixed = numbers * 0x5DEECE7 % 2**28 + (240 << 24)
    octets = [texts(mixed >> shift & 255) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*octets, ".")


class Lines:
    """Writes events as lines in Combined Log Format; holds what all days of a chunk share."""

    def __init__(self, customers: Customers) -> None:
        """Prepare the columns that are looked up."""
        self.count = customers.count
        self.first = int(customers.ids[0]) - 1 if customers.count else 0
        self.hosts = addresses(customers.ids - 1)
        self.users = texts(customers.ids)
        clock = np.arange(DAY)
        parts = [pc.utf8_lpad(texts(part), 2, "0") for part in (clock // 3_600, clock // 60 % 60, clock % 60)]
        self.clock = pc.binary_join_element_wise(*parts, ":")
        self.requests = pa.array(REQUESTS)
        self.categories = pa.array(CATEGORIES)
        self.words = pa.array(WORDS)
        self.agents = pa.array(AGENTS)
        self.referrers = pa.array(REFERRERS)

    def format(self, day: Day, number: int) -> pa.Array:
        """Lines of a day in the order of time, each with its newline."""
        if not len(day.client):
            return pa.array([], pa.string())
        strangers = np.arange(max(0, int(day.client.max()) + 1 - self.count))
        # An address per stranger: unique within a day is enough, as the date is in the line.
        hosts = pa.concat_arrays([self.hosts, addresses(2**27 + self.first + strangers)])
        users = pa.concat_arrays([self.users, pa.array(["-"])])
        subject = texts(day.subject)
        for page, names in ((CATEGORY, self.categories), (SEARCH, self.words)):
            subject = pc.if_else(pa.array(day.page == page), names.take(pa.array(day.subject % len(names))), subject)
        bare = (day.page == HOME) | (day.page == CHECKOUT_PAGE) | (day.page == ROBOTS_TXT)
        subject = pc.if_else(pa.array(bare), "", subject)
        request = pc.binary_join_element_wise(self.requests.take(pa.array(day.page)), subject, "")
        path = pc.utf8_ltrim(pc.utf8_slice_codeunits(request, 4), " ")  # without GET or POST
        before = pa.array(np.maximum(np.arange(len(day.client)) - 1, 0))
        referrer = pc.if_else(
            pa.array(day.entry),
            self.referrers.take(pa.array(day.referrer)),
            pc.binary_join_element_wise(SITE, path.take(before), ""),
        )
        date = time.strftime("%d/%b/%Y", time.gmtime(START + number * DAY))
        lines = pc.binary_join_element_wise(
            hosts.take(pa.array(day.client)),
            " - ",
            users.take(pa.array(np.where(day.anonymous, self.count, day.client))),
            f" [{date}:",
            self.clock.take(pa.array(day.second)),
            ' +0000] "',
            request,
            ' HTTP/1.1" ',
            texts(day.status),
            " ",
            pc.if_else(pa.array(day.size == 0), "-", texts(day.size)),
            ' "',
            referrer,
            '" "',
            self.agents.take(pa.array(day.agent)),
            '"\n',
            "",
        )
        return lines.take(pa.array(np.argsort(day.second, kind="stable")))


def spoil(line: bytes, rng: np.random.Generator) -> bytes:
    """Damage a line (without its newline) in one of the ways seen in real logs."""
    at = int(rng.integers(1, len(line) - 1))
    match int(rng.integers(10)):
        case 0 | 1 | 2:  # the disk was full
            return line[:at]
        case 3:  # bytes that a server would have escaped
            return line[:at] + bytes([int(rng.integers(128, 256))]) + line[at:]
        case 4:
            return line[:at] + "é".encode() + line[at:]
        case 5:
            return line[:at] + (b"\t", b"\0", b"\r")[int(rng.integers(3))] + line[at:]
        case 6:  # went through another system
            return line + b"\r"
        case 7:
            return line.replace(b"/2026:", b"/26:")
        case 8:
            return line.replace(b"[" + line.split(b"[", 1)[1][:6], b"[31/Feb")
        case _:
            if rng.random() < 0.05:
                return line.replace(b" HTTP", b"&q=" + b"A" * OVERLONG + b" HTTP")
            return b"kernel: out of memory: killed process " + str(at).encode()


def soil(lines: pa.Array, repeats: list[bytes], rng: np.random.Generator) -> tuple[bytes, list[bytes]]:
    """Damage some lines, add empty and repeated ones.

    Args:
        lines: clean lines with their newlines.
        repeats: lines of the day before that arrive again.
        rng: the source of chance.

    Returns:
        The file's content, and lines that will arrive again on the next day.
    """
    n = len(lines)
    dirty: list[bytes] = []
    place = np.arange(n, dtype=np.float64)
    take = np.arange(n)
    for index in np.flatnonzero(rng.random(n) < SPOILED):
        take[index] = n + len(dirty)
        dirty.append(spoil(lines[int(index)].as_py().encode()[:-1], rng) + b"\n")

    extra_place: list[float] = []
    extra_take: list[int] = []

    def insert(line: bytes) -> None:
        extra_place.append(float(rng.random() * n))
        extra_take.append(n + len(dirty))
        dirty.append(line)

    for line in repeats:
        insert(line)
    for _ in range(int(rng.poisson(n * EMPTY))):
        insert(b"\n")
    tomorrow: list[bytes] = []
    for index in np.flatnonzero(rng.random(n) < REPEATED):
        line = lines[int(index)].as_py().encode()
        if rng.random() < 0.5:
            insert(line)
        else:
            tomorrow.append(line)

    order = np.argsort(np.concatenate([place, np.array(extra_place)]), kind="stable")
    take = np.concatenate([take, np.array(extra_take, dtype=np.int64)])[order]
    everything = pa.concat_arrays([pc.cast(lines, pa.binary()), pa.array(dirty, pa.binary())]).take(pa.array(take))
    return joined(everything), tomorrow


def joined(lines: pa.Array) -> bytes:
    """The values of a binary array as one text."""
    if not len(lines):
        return b""
    _, offsets, data = lines.buffers()
    bounds = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(data)[int(bounds[0]) : int(bounds[-1])].tobytes()


# --- Files --------------------------------------------------------------------------------------------------


def write(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file with the codec and pages that both engines read fast."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    write(path, sink.getvalue().to_pybytes())


def reviews(orders: dict[str, Ints], customers: Customers, rng: np.random.Generator) -> pa.Table:
    """Reviews of some orders, days after the purchase."""
    owner = orders["customer_id"] - (int(customers.ids[0]) if customers.count else 0)
    n = len(owner)
    delay = rng.integers(2 * DAY, 12 * DAY, n)
    written = (rng.random(n) < customers.reviewer[owner]) & (orders["ordered_at"] + delay < START + DAYS * DAY)
    rating = 1 + np.clip(rng.binomial(4, 0.35 + 0.6 * customers.satisfaction[owner]), 0, 4)
    picks = rng.random((n, 3))
    sentences = rng.integers(1, 4, n)
    chosen: list[str] = []
    for index in np.flatnonzero(written):
        phrases = PRAISE if rating[index] >= 4 else NEUTRAL if rating[index] == 3 else COMPLAINTS
        words = [phrases[int(pick * len(phrases))] for pick in picks[index, : sentences[index]]]
        chosen.append(" ".join(dict.fromkeys(words)))
    return pa.table(
        {
            "review_id": pa.array(orders["order_id"][written]),
            "customer_id": pa.array(orders["customer_id"][written]),
            "product_id": pa.array(orders["product_id"][written]),
            "rating": pa.array(rating[written]),
            "text": pa.array(chosen, pa.string()),
            "reviewed_at": pa.array((orders["ordered_at"] + delay)[written]),
        }
    )


def generate_chunk(plan: Plan, chunk: int, prices: Ints, progress: Any) -> None:
    """Write one chunk of customers: a log file for each day and one file for each table."""
    rng = np.random.default_rng([plan.seed, 2, chunk])
    customers = Customers(plan, chunk, rng)
    lines = Lines(customers)
    part = f"part-{chunk:05d}"
    columns: dict[str, list[Ints]] = {
        name: [] for name in ("order_id", "customer_id", "product_id", "quantity", "total_cents", "ordered_at")
    }
    truth: list[pa.Table] = []
    repeats: list[bytes] = []
    orders_of = np.zeros(customers.count, dtype=np.int64)
    splits = {day: split for split, day in plan.cutoffs.items()}

    def know(day: int) -> None:
        if day in splits:
            there = customers.registered_day < day
            truth.append(
                pa.table(
                    {
                        "split": pa.array([splits[day]] * int(there.sum()), pa.string()),
                        "customer_id": pa.array(customers.ids[there]),
                        "probability": pa.array(customers.truth()[there]),
                    }
                )
            )

    for number in range(DAYS):
        know(number)
        active = customers.registered_day < number
        buys = customers.step(rng, active)
        orders_of += buys
        order_ids = customers.ids * 1_000 + orders_of
        day = simulate_day(customers, buys, active, order_ids, plan.products, rng)

        at = np.flatnonzero(day.page == ORDER_PAGE)
        product = day.subject[at - 2]  # order, checkout, cart: the cart names the product
        quantity = 1 + np.minimum(rng.geometric(0.75, len(at)) - 1, 4)
        columns["order_id"].append(day.subject[at])
        columns["customer_id"].append(customers.ids[day.client[at]])
        columns["product_id"].append(product)
        columns["quantity"].append(quantity)
        columns["total_cents"].append(quantity * prices[product - 1])
        columns["ordered_at"].append(START + number * DAY + day.second[at])

        content, repeats = soil(lines.format(day, number), repeats, rng)
        date = time.strftime("%Y-%m-%d", time.gmtime(START + number * DAY))
        # mtime=0: equal content gives equal bytes. Level 1: the logs are written once and read a few times.
        write(plan.output / "logs" / f"date={date}" / f"{part}.log.gz", gzip.compress(content, 1, mtime=0))
        customers.settle_buyers(rng, buys)
        with progress.get_lock():
            progress.value += 1
    know(DAYS)

    orders = {name: np.concatenate(values) for name, values in columns.items()}
    write_table(plan.output / "orders" / f"{part}.parquet", pa.table(orders))
    write_table(plan.output / "reviews" / f"{part}.parquet", reviews(orders, customers, rng))
    write_table(
        plan.output / "customers" / f"{part}.parquet",
        pa.table(
            {
                "customer_id": customers.ids,
                "registered_at": customers.registered_at,
                "country": pa.array(COUNTRIES).take(pa.array(customers.country)),
                "newsletter": customers.newsletter,
            }
        ),
    )
    write_table(plan.output / "truth" / f"{part}.parquet", pa.concat_tables(truth))


# --- Processes, progress, command line ----------------------------------------------------------------------


def work(plan: Plan, chunks: Sequence[int], progress: Any) -> None:
    """Generate some chunks; what each child process does."""
    pa.set_cpu_count(1)
    prices = products(plan)["price_cents"].to_numpy()
    for chunk in chunks:
        generate_chunk(plan, chunk, prices, progress)


class Progress:
    """A bar on a terminal, a line for every tenth otherwise."""

    def __init__(self, total: int) -> None:
        """Take the number of steps."""
        self.total = total
        self.shown = 0
        self.start = time.monotonic()

    def show(self, done: int) -> None:
        """Report the number of steps done."""
        percent = 100 * done // self.total if self.total else 100
        seconds = time.monotonic() - self.start
        if sys.stderr.isatty():
            bar = "#" * (percent * 40 // 100)
            end = "\n" if done >= self.total else ""
            print(f"\r[{bar:<40}] {percent:3d} %  {seconds:4.0f} s", end=end, file=sys.stderr, flush=True)
        elif percent // 10 > self.shown // 10:
            print(f"generated {percent // 10 * 10} % in {seconds:.0f} s", file=sys.stderr, flush=True)
        self.shown = percent


def generate(plan: Plan, processes: int, host: int = 0, hosts: int = 1) -> None:
    """Generate the chunks of one host with several processes.

    Raises:
        RuntimeError: a child process failed.
    """
    mine = list(range(host, plan.chunks, hosts))
    if host == 0:
        write_table(plan.output / "products" / "part-00000.parquet", products(plan))
    context = multiprocessing.get_context("spawn")
    done = context.Value("q", 0)
    progress = Progress(len(mine) * DAYS)
    children = [
        context.Process(target=work, args=(plan, mine[index::processes], done), daemon=True)
        for index in range(min(processes, len(mine)))
    ]
    try:
        # Ctrl-C reaches the whole process group. Children inherit the blocked signal: the parent alone reacts.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for child in children:
                child.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        while any(child.is_alive() for child in children):
            for child in children:
                child.join(0.1)
                if child.exitcode:
                    raise RuntimeError(f"a generator process ended with exit code {child.exitcode}")
            progress.show(done.value)
        for child in children:
            if child.exitcode:
                raise RuntimeError(f"a generator process ended with exit code {child.exitcode}")
        progress.show(done.value)
    finally:
        for child in children:
            if child.is_alive():
                child.terminate()
        for child in children:
            if child.pid is not None:
                child.join()


def this_host() -> tuple[int, int]:
    """Number of this host and of all hosts of the job, as the service wrote them; (0, 1) elsewhere."""
    if not RESOURCES.is_file():
        return 0, 1
    resources = json.loads(RESOURCES.read_text("utf-8"))
    hosts = sorted(resources["hosts"])
    return hosts.index(resources["current_host"]), len(hosts)


def arguments(argv: Sequence[str] | None) -> tuple[Plan, int, int, int]:
    """Read and check the command line: the plan, processes, host, hosts.

    Raises:
        InputError: a value is out of range or the output is not empty.
    """
    host, hosts = this_host()
    parser = Parser(__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="approximate number of log lines, from 1000")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random streams, from 0")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the tables; must not hold any of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="number of processes")
    parser.add_argument("--host", type=int, default=host, help="number of this host, from 0")
    parser.add_argument("--hosts", type=int, default=hosts, help="number of hosts that share the work")
    options = parser.parse_args(argv)
    most = 2**27 * EVENTS_PER_CUSTOMER
    for name, value, low, high in (
        ("events", options.events, 1_000, most),
        ("seed", options.seed, 0, 2**63 - 1),
        ("processes", options.processes, 1, 1_024),
        ("hosts", options.hosts, 1, 1_024),
        ("host", options.host, 0, options.hosts - 1),
    ):
        if not low <= value <= high:
            raise InputError(f"--{name} {value}: must be from {low} to {high}")
    output: Path = options.output
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: is not a folder")
    for table in TABLES:
        # Files of another scale or seed would mix with these.
        if (output / table).is_dir() and any((output / table).iterdir()):
            raise InputError(f"--output {output}: {table}/ is not empty; name a new folder")
    return Plan.of(options.events, options.seed, output), options.processes, options.host, options.hosts


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """Treat a stop by the service like Ctrl-C."""
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the dataset.

    Raises:
        InputError: see `arguments`.
    """
    plan, processes, host, hosts = arguments(argv)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        generate(plan, processes, host, hosts)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    run(main)
