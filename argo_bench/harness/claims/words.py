"""Holds the words that a claim may be made of: how they are rewritten, and the role that each plays.

A sentence in lower case is rewritten into few signs (``rewrite``) and cut into tokens (``list_tokens``). Every token
has a role; a word of no list is ``unknown``, and the grammar (``sentence``) says where such a word may stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from argo_bench.harness.claims.figures import AT_MOST, COUNTS, FACTOR, NUMBER, PAIRS, PERCENT, TWO_RATES, UNIT, UP_TO

FIGURES = frozenset({"pair", "rates", "counts", "percent", "factor"})
POLARITIES = frozenset({"less", "more", "better", "faster"})
MEASURES = frozenset({"rate", "memory", "cost", "count"})
NOUNS = MEASURES | {"thing", "quality"}

APPROXIMATE = r"[~≈]|\b(?:about|around|roughly|approximately|circa|nearly|almost|close to)\b"
SPELT = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
    "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "a hundred": 100, "one hundred": 100, "a thousand": 1000, "one thousand": 1000,
}  # fmt: skip
MULTIPLES = {"doubl": 2, "tripl": 3, "trebl": 3, "quadrupl": 4, "quintupl": 5}
SHARES = {
    "half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "sixth": 1 / 6, "eighth": 1 / 8, "tenth": 1 / 10,
    "two thirds": 2 / 3, "two-thirds": 2 / 3, "three quarters": 3 / 4, "three-quarters": 3 / 4, "hundredth": 1 / 100,
}  # fmt: skip
SHARE = rf"(?:an? |one[ -]|1 )?({'|'.join(sorted(SHARES, key=len, reverse=True))})"
NUMERAL = rf"({'|'.join(SPELT)})"
GAINS = r"(?:\w+ )?(?:speed-? ?up|improvement|reduction|gain|saving)s?"
SHARED = r"(?:of (?:the|its|our|their|what|that)|the|its|our|their|as (?:much|many))\b(?: of(?: the)?)?"


def _write_saved(share: float) -> str:
    return f"{100 * (1 - share):.17g} %"


REWRITTEN: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"[\u2010-\u2015\u2212\u2026]|(?<=[\d%x ])\.{2,3}(?= ?\d)", "-"),
    (r"[\u2018\u2019]", "'"),
    (r"^(?:(?:perf|feat|fix|refactor|chore|build)(?:\([^)]*\))?!?|tl;?dr):", ""),
    (r"→|⇒|=>|--+>", "->"),
    (r"×", "x"),
    (r"≥", ">="),
    (r"≤", "<="),
    (r"µ", "μ"),
    (r"½|\b1/2\b", "half"),
    (r"⅓|\b1/3(?:rd)?\b", "a third"),
    (r"¼|\b1/4(?:th)?\b", "a quarter"),
    (r"\b1/10(?:th)?\b", "a tenth"),
    (APPROXIMATE, " "),
    (r"\bper ?cent\b", "%"),
    (r"(?<=\d)[- ]?-(?=%|fold|times)", " "),
    (r"\s+", " "),
    (r"\bbetween (\S+(?: %| x| times)?) and ", r"\1 to "),
    (r"\bbetween (?=\d[\d.,]* ?[%x]? ?-)", ""),
    (r"\bcan confirm\b,?(?: that\b)?", ""),
    (r"(?<=[a-zμ]) per (?:call|request|query|row|record|item|message|event|operation|iteration)\b", ""),
    (rf"\b(?:anything |anywhere )?from {SHARE} to {SHARE}\b",
     lambda found: f"{100 * SHARES[found[1]]:.17g}-{100 * SHARES[found[2]]:.17g} %"),
    (rf"\b{SHARE} as (?:fast|quick\w*|efficient\w*)\b", "slower"),
    (rf"\b{SHARE} as long\b", lambda found: f"{_write_saved(SHARES[found[1]])} less time"),
    (rf"(?<!up )\b(?:in|to) {SHARE}\b(?: of what it (?:was|used to be))?(?! the| of)",
     lambda found: f"by {_write_saved(SHARES[found[1]])}"),
    (rf"\b{SHARE} {SHARED}", lambda found: f"{_write_saved(SHARES[found[1]])} less"),
    (rf"\b{SHARE}(?= (?:less|fewer|lower|smaller|shorter|faster|quicker|cheaper|off|more|higher)\b)"
     rf"|\b(by (?:up to |at least |more than |over |as much as )?|up to ){SHARE}\b",
     lambda found: f"{found[2] or ''}{100 * SHARES[found[1] or found[3]]:.17g} %"),
    (rf"\b(take\w*|took|needs?|uses?|using|requires?|in)(?: only| just)? ({NUMBER}) ?% of (?:the|its) "
     r"(?=(?:\w+ )?(?:time|memory|ram|cpu)\b)",
     lambda found: f"{found[1]} {_write_saved(float(found[2]) / 100)} less "),
    (rf"\b{NUMERAL}[ -]?fold\b", lambda found: f"{SPELT[found[1]]}x"),
    (rf"\b{NUMERAL}\b", lambda found: str(SPELT[found[1]])),
    (r"(?<=\d)- (?=(?:to|or) \d)", " "),
    (r"\b(?:an|one) order of magnitude", "10x"),
    (r"\b(?:one|(\d)) (?:to|or) (\d) orders of magnitude",
     lambda found: f"1{'0' * int(found[1] or 1)}-1{'0' * int(found[2])}x"),
    (r"(?<![\w.,])(\d) orders of magnitude", lambda found: f"1{'0' * int(found[1])}x"),
    (rf"\b(?:a )?factor (?:of )?((?:[a-z>=]+ (?:to |of |than )?)?{NUMBER}(?: ?(?:-|to) ?\d[\d.,]*\b)?)(?! ?x)", r"\1x"),
    (rf"\b(?:a )?factor (?:of )?(?={NUMBER})", ""),
    (r"(?<![\w.,])x ?(\d[\d.,]*(?:-\d[\d.,]*)?)(?![\d%x])", r"\1x"),
    (rf"\b(?:maximum|max\.?|peak|best[- ]case) ({GAINS} of) ", r"\1 up to "),
    (rf"\b(?:minimum|min\.?|worst[- ]case) ({GAINS} of) ", r"\1 at least "),
    (rf"\b(speed-? ?ups? of (?:up to |at least |over |more than )?{NUMBER})"
     r"(?! ?(?:x|%|times|-|to))(?![\w.,]*\d)", r"\1x"),
    (r"\btwice\b", "2 times"),
    (rf"\b({'|'.join(MULTIPLES)})(?:es?|ed|ing)\b", lambda found: f"{MULTIPLES[found[1]]}x more"),
    (rf"\b({'|'.join(MULTIPLES)})e\b", lambda found: f"{MULTIPLES[found[1]]}x"),
    (r"\bhalv(?:es?|ed|ing)\b", "50 % less"),
    (rf"({NUMBER} ?(?:%|x|times)(?: [a-z]+){{0,3}}),? at (?:the very )?(best|least|most)\b", r"at \2 \1"),
    (r"(x|times) as (?:much|many)\b", r"\1 more"),
    (r"(x|times) as long\b", "longer"),
    (r"\s+", " "),
)  # fmt: skip
"""Each pattern is replaced by what stands beside it, in this order, in the sentence in lower case."""

VOCABULARY: tuple[tuple[str, str], ...] = (
    ("question", r"""
         \?, ^(?:how|what if|why|is|are|does|do|can|will) (?:it|they|this|we|that|the|much|many|fast), whether, who"""),
    ("level", r"hit[ -](?:rate|ratio)s?"),
    ("loss", r"""
         slow(?:er|s|ed|ing)?(?: \w+)? down, slow-?downs?, slower, as slow, longer, worse\w*, regress\w*, degrad\w*,
        deteriorat\w*, lost, lose[sd]?, losing, bloat\w*, overrun\w*, g[ia]v(?:es?|ing) up, sacrific\w*, forgo\w*"""),
    ("hedge", r"""
         could, might, may, should, would, ought, hop(?:e[sd]?|ing|eful\w*), expect\w*, maybe, perhaps, possibl\w+,
        probabl\w+, suppos\w+, alleged\w*, theor(?:y|etical\w*), aim(?:s|ed|ing)?, goals?, target\w*,
        plan(?:s|ned|ning)?, wish\w*, want(?:s|ed)?, (?:try|tries|trying|tried) to, attempt\w*, believ\w+, think\w*,
        thought, guess\w*, potential\w*, likely, seem\w*, appear\w*, feels?, felt, hardly, barely, scarcely, fail\w*,
        far from, rumou?r\w*, says?, said, claim\w*, reported(?:ly)?, according to, promis\w+, predict\w*, assum\w+,
        imagin\w*, suggest\w*, dream\w*, advertis\w+, marketing, unless, so-called, used to be, estimat\w+,
        anticipat\w*, must, needs? (?:to be|it|this), let's, let us, doubt\w*, wonder\w*, ideally, in
        principle, on paper, if only, instead of being, stop(?:s|ped) being, lack\w*, todo, fixme, wip, revert\w*"""),
    ("ours", r"""
         than (?:ours|our(?! (?:old|previous|former|last|earlier|original|existing|baseline|prior|legacy|own)))"""),
    ("negation", r"""
         not(?! only), \w+n't, never, nor, neither, nothing, none, nobody, cannot, no longer, anything but, myth,
        untrue, false, wrong\w*, den(?:y|ies|ied), far cry"""),
    ("no", r"no"),
    ("contrast", r"""
         but, however, although, though, except\w*, otherwise, yet, albeit, only
        (?:on|for|when|if|in|with|after|under|at|where)"""),
    ("part", r"""
         some, most(?:ly)?, many, few, sometimes, occasionally, often, rarely, seldom, certain, partly, once, one
        (?:of|in), out of, a (?:share|part|fraction) of, at times"""),
    ("old", r"old(?:er)?, previous, former, legacy, competitors?(?:'s)?, competition, baseline, rivals?, original"),
    ("other", r"""
         accura\w+, precis\w+, recall, features?, bugs?, errors?, crash\w*, quality, users?, customers?, revenue\w*,
        sales, profit\w*, prices?, (?:un)?success\w*, aborted, rejected, dropped (?:requests|packets), free,
        available, availability, idle, spare, remaining, uptime, downtime, battery, development, developers?,
        engineering, delivery, human, (?:time )?to market, carbon, variance, expensive, costl\w+, pricier, heavier,
        onboard\w*, engineers?, teams?, members?, hir(?:e[sd]?|ing), students?, coverage, reliab\w+, growth, grow\w*,
        drain\w*, leak\w*, readab\w+, lines, complex\w*, secur\w+, capacity, headroom, timeouts?, satisfaction,
        productiv\w+, people, staff, downloads, stars, adoption, retention, resolution, quota, support\w*, hits?,
        correct\w*, slow"""),
    ("quality", r"""
         (?:performance|perf|throughput|speed) per \w+, (?:cpu|resource|system|processor|core) utili[sz]ation,
        utili[sz]ation, concurrency, scalab\w+, responsive\w*, (?:system )?stability, parallelism, efficiency,
        scaling"""),
    ("rate", r"""
         (?!cost|dollars|allocations|memory|time|second)[a-z]+(?:/| per | an? )(?:s|sec|second|min|minute|hour|day),
        throughput, speed(?! ?-?up), performance, perf, bandwidth, rps, qps, tps, iops, fps,
        (?:request|processing|frame|transfer|query|ingestion|ingest) rates?"""),
    ("memory", r"""
         (?:(?:peak|resident|traced|heap|working) )*(?:memory|ram|rss|heap|footprint|working set)(?: usage| use|
        consumption| footprint| pressure| requirements?| needs| size| overhead| peak| costs?)?"""),
    ("cost", r"""
         (?:cpu|processor|compute|resource)(?: usage| use| consumption| time| load| costs?| cycles| seconds)?,
        (?:wall|run|running|execution|elapsed|real)?[- ]?times?, wall[- ]clock(?: time)?, runtimes?, latenc(?:y|ies),
        durations?, delays?, costs?, overheads?, spend, spending, bills?, waits?, (?:gc )?pauses?, lag, energy, time
        spent"""),
    ("faster", r"""
         faster, quicker, outperform\w*, outpac\w*, beats?, speed-? ?ups?, (?:speed(?:s|ed|ing)?|sped)(?: \w+){0,2}
        up(?! to), accelerat\w*, snappier, swifter, as fast, as quick(?:ly)?"""),
    ("better", r"""
         better, improv\w*, boost\w*, more (?:efficient|performant|responsive), optimi[sz](?:es?|ing|ations?),
        enhanc\w*"""),
    ("less", r"""
         reduc\w*, less, fewer, lower\w*, cut(?:s|ting)?(?: down)?, decreas\w*, (?:drop|slip)(?:s|ped|ping)?,
        sav(?:e|es|ed|ing|ings), shr[iau]nk\w*, smaller, shorter, shorten\w*, (?:(?:went|goes|go|came|comes) )?down,
        fell, falls?, fallen, declin\w*, shav\w+(?: off)?, slash\w*, eliminat\w*, remov\w+, avoid(?:s|ed|ing)?,
        trim(?:s|med)?, cheaper, off, minus, leaner, lighter"""),
    ("more", r"""
         more, higher, greater, larger, bigger, increas\w*, (?:(?:went|goes|go) )?up, gain(?:s|ed)?, rais\w+, rose,
        ris(?:e|es|ing|en), grew, plus, jump(?:s|ed)?, climb(?:s|ed)?, surg\w+, uplift"""),
    ("count", r"""
         calls?, quer(?:y|ies), requests?, writes?, reads?, allocations?, round-?[ -]?trips?, copies, instructions,
        (?:re)?calculations?, (?:re)?computations?, operations?, ops, invocations?, tokens?, syscalls?, system calls,
        (?:cache )?misses, lookups?, transfers?, fetches, iterations?, page faults, context switches, statements,
        (?:(?:disk|network|file) )?i/?o, connections?, evaluations?, comparisons?"""),
    ("can", r"can"),
    ("vague", r"""
         orders? of magnitude, magnitudes?, times, \w*fold, half, thirds?, quarters?, fraction, multiple, couple,
        several, (?:dozen|hundred|thousand|million)s?"""),
    ("serve", r"handles?, handled, serves?, served, processe[sd], process, sustains?, sustained"),
    ("by", r"by"),
    ("of", r"of"),
    ("in", r"in"),
    ("to", r"to"),
    ("and", r"and, &, or, as well as"),
    ("filler", r"""(?:the )?number of, shows? how(?! much| many| fast),
         on average, in (?:total|practice|production|general), in our (?:tests|benchmarks?|measurements?), by far,
        way, as much, as many, at scale, a lot, far, not only(?: is it)?, optimi[sz]ed, it (?:took|takes|used(?! to
        be))(?: to)?(?: take| use)?(?: before)?, the, an?, our, its, their, your, my, us, his, this, that, these, those,
        it, they, we, i, you, there, new, now, then, also, even, still, just, only, overall, already, again, much,
        very, really, significant(?:ly)?, considerabl[ey], substantial(?:ly)?, dramatic(?:ally)?, massive(?:ly)?,
        huge, big, nice, whopping, impressive, full, solid, typical(?:ly)?, usual(?:ly)?, consistent(?:ly)?, both,
        all, each, every, additional, extra, further, total, mean, median, average, immediate(?:ly)?, here, yes, so,
        too, well, today, currently, finally, good news, great, clear(?:ly)?, actual(?:ly)?, measured, measurabl[ey],
        observed, marked(?:ly)?, noticeabl[ey], slight(?:ly)?, redundant, net, same, has, have, had, p\d\d"""),
    ("verb", r"""
         is, are, was, were, be, been, being, gets?, got, becomes?, became, runs?, ran, running, works?,
        perform(?:s|ed)?, execut(?:es?|ed), complet(?:es?|ed), finish(?:es|ed)?, mak(?:es?|ing), made, g[ia]ves?,
        giving, deliver(?:s|ed|ing)?, achiev(?:es?|ed|ing), yield(?:s|ed)?, brings?, brought, show(?:s|ed)?, sees?,
        saw, seen, offers?, provid(?:es?|ed|ing), reach(?:es|ed)?, takes?, took, taking, need(?:s|ed)?,
        us(?:es?|ed|ing), requir(?:es?|ed), went, goes, go, gone, turns?, turned, will, did, does,
        consum(?:es?|ed|ing), spends?, comes?, came, (?:leads?|led|amounts?) to, result(?:s|ed|ing)? in, it's, that's,
        we're, they're, we've, stands? at, translates? (?:in)?to, comput(?:es|ed), answers?, returns?, responds?,
        loads?, starts?, parses?, compiles?, renders?, trains?, sorts?, boots?, opens?, burn(?:s|ed|t)?,
        allocat(?:es?|ed), eats?"""),
    ("opener", r"""
         on, for, with, within, when, whenever, while, if, than, compared (?:to|with), versus, vs\.?, over, at, under,
        via, through, using, because, since, across, against, during, after, before, without, per, from, relative to,
        due to, where, which, inside, beyond, based on, as, into, regardless, despite, among, upon, following, thanks
        to, even (?:when|with|if|on|for)"""),
    ("thing", r"""
         code, method, release, build, builds, startup, start-up, cold starts?, imports?, search, index, export,
        jobs?, tasks?, pipelines?, steps?, scripts?, programs?, apps?, services?, systems?, engines?, modules?,
        librar(?:y|ies), packages?, ci, daemons?, caches?, loops?, kernels?, algorithms?, backend, frontend, database,
        apis?, cycles?, access(?:es)?, responses?, deploys?, inserts?, updates?, deletes?, joins?, scans?, models?,
        inference, everything, signals?, files?, pages?, images?, data, rows, batches, tests?, suite, garbage, gc,
        analys[ie]s, reports?, paths?, routes?, endpoints?, workloads?, results?, changes?, patch, approach, design,
        rewrite, json, csv, sql, disk, network, http, python, rust, [\w.]*\w\(\), \w+_\w+, [a-z]+\.[a-z_]\w*,
        v?\d+(?:\.\d+)+, \w{3,}(?:ing|ings|tion|tions|sion|sions|er|ers|or|ors)"""),
)  # fmt: skip
"""A word has the first role of which an entry fits; entries are regular expressions."""


def _compile(role: str, entries: str) -> tuple[str, re.Pattern[str]]:
    parts = re.sub(r"\s*\n\s*", " ", entries.strip()).split(", ")
    bounded = [each.strip() if each.strip().startswith("\\?") else rf"{each.strip()}(?![\w%]|['-]\w)" for each in parts]
    return role, re.compile("|".join(bounded))


LEXICON: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("level", re.compile(rf"{NUMBER} ?%?\+? ?-> ?{NUMBER} ?%|from {NUMBER} ?%? to {NUMBER} ?%")),
    *(("pair", re.compile(pattern)) for pattern in PAIRS),
    ("rates", re.compile(rf"(?:from )?{TWO_RATES}")),
    ("percent", re.compile(PERCENT)),
    ("factor", re.compile(FACTOR)),
    *(("counts", re.compile(pattern)) for pattern in COUNTS),
    ("bounded", re.compile(rf"(?:{AT_MOST}) ?\d\S*(?: ?(?:%|x\b|times\b))?")),
    ("bound", re.compile(rf"(?:{UP_TO})(?= ?\d)")),
    ("separator", re.compile(r"->|[,;:()|\[\]{}]|- |[.!](?= |$)|[–—]")),
    ("number", re.compile(rf"[-+<>=$€£]*\d[\d.,]*(?: ?{UNIT})?(?: ?- ?\d[\d.,]*)?(?: ?{UNIT}|\w*%?)(?:/\w+)?")),
    *(_compile(role, entries) for role, entries in VOCABULARY),
    ("unknown", re.compile(r"[^\W\d](?:[\w'/.+-]*[\w+])?|[<>%$€£^]")),
    ("filler", re.compile(r"\S")),
)
"""A token is what the first of these patterns fits."""


@dataclass(frozen=True, slots=True)
class Token:
    """Holds a word or a figure of a sentence with its role, as it was found."""

    role: str
    found: re.Match[str]

    @property
    def text(self) -> str:
        return self.found[0].strip()


def rewrite(sentence: str) -> str:
    """Return a sentence in lower case and few signs."""
    text = sentence.lower()
    for pattern, sign in REWRITTEN:
        text = re.sub(pattern, sign, text)
    return text.strip()


def list_tokens(text: str) -> list[Token]:
    """Cut a rewritten sentence into tokens; nothing of it is left out but blanks and harmless fillers."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if not text[position].isspace():
            role, found = next(
                (role, found)
                for role, pattern in LEXICON
                if (found := pattern.match(text, position)) and found[0].strip()
            )
            position = found.end()
            if role != "filler":
                tokens.append(Token(role, found))
        else:
            position += 1
    return tokens


def names_figure(sentence: str) -> bool:
    """Say whether a sentence has a figure that could be claimed: with a unit, a %, an x, or in words ("twice")."""
    return any(
        each.role in FIGURES | {"bounded", "level"}
        or (each.role == "number" and re.search(r"\d ?(?:[a-zμ]+|%)", each.text))
        for each in list_tokens(rewrite(sentence))
    )
