"""Bodies and queries around denied values, as an attacker writes them: odd names, odd values, odd places, odd syntax."""

from __future__ import annotations

from random import Random

JOB, TARGET, TOKEN, PATH = 77, "PERFORMANCE_OPTIMIZED", "prod", "/Workspace/Users/ceo/plan"
"""The denied values; the fifth is truth, of `queue.enabled`."""


def _listed(text: str) -> list[str]:
    return [each.strip("\n") for each in text.split(" | ")]


_VALUES = {
    "job_id": _listed(
        """77 | 77 | 77 | "77" | "77" | 77.0 | 7.7e1 | 770e-1 | 0.77E2 | 77.9 | 76.99999999999999999999 | 077 | +77 | 7_7 | \
0x4D | "077" | "+77" | " 77" | "77 " | "0x4d" | "77.0" | "7.7e1" | "7\\u0037" | "\\u0667\\u0667" | 77e0 | -0 | 8 | "8" | \
18446744073709551693 | null | true | [77] | ["77"] | [[77]] | {"value":77} | {"$numberLong":"77"} | 77000e-3 | \
77.0000000000000000000000000000000000000000000000000000000000000000000000000000000001"""
    ),
    "enabled": _listed(
        """true | true | true | "true" | "True" | "TRUE" | 1 | "1" | "yes" | "on" | 1.0 | [true] | [[true]] | \
{"value":true} | "t" | " true" | "true " | false | null | TRUE | 0"""
    ),
    "performance_target": _listed(
        """"PERFORMANCE_OPTIMIZED" | "PERFORMANCE_OPTIMIZED" | "performance_optimized" | "Performance_Optimized" | 2 | \
"2" | 2.0 | " PERFORMANCE_OPTIMIZED" | "PERFORMANCE_\\u004fPTIMIZED" | ["PERFORMANCE_OPTIMIZED"] | "STANDARD" | 1 | \
null | "PERFORMANCE_OPTIM\\u0131ZED" | "PERFORMANCEOPTIMIZED" | "performanceOptimized" """
    ),
    "idempotency_token": _listed(
        """"prod" | "prod" | "pro\\u0064" | "PROD" | "prod " | "prod\\u0000" | "prod\\u200b" | "\\uff50rod" | \
["prod"] | {"value":"prod"} | "dev" | null"""
    ),
    "notebook_path": _listed(
        """"/Workspace/Users/ceo/plan" | "/Users/ceo/plan" | "\\/Users\\/ceo\\/plan" | "/Users/ceo//plan" | \
"/Users/./ceo/plan" | "/Users/ceo/plan/" | "//Users/ceo/plan" | "/Users/ceo/x/../plan" | "Users/ceo/plan" | \
["/Users/ceo/plan"] | "/Users/ceo/pl\\u0061n" | "/Workspace/Workspace/Users/ceo/plan" | "/Users/ceo/plan\\u0000" | \
"/Users/ada/x" | null"""
    ),
}
_DECOYS = {
    "job_id": ["8", '"8"'],
    "enabled": ["false", '"false"'],
    "performance_target": ['"STANDARD"'],
    "idempotency_token": ['"dev"'],
    "notebook_path": ['"/Users/ada/x"'],
}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _escaped(name: str, at: int) -> str:
    return f"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1 :]}"


def name(random: Random, plain: str) -> str:
    """A spelling of a name, as it stands between the quotes."""
    at = random.randrange(len(plain))
    letters = {"k": "\u212a", "s": "\u017f", "i": "\u0131", "d": "\uff44"}
    return random.choice(
        [
            *[plain] * 40,
            _camel(plain),
            _camel(plain)[:1].upper() + _camel(plain)[1:],
            plain.upper(),
            plain.title(),
            plain.replace("_", "-"),
            plain.replace("_", ""),
            plain.replace("_", "__"),
            "_" * 130 + plain,
            _escaped(plain, at),
            _escaped(_camel(plain), at if at < len(_camel(plain)) else 0),
            plain[:at] + plain[at].upper() + plain[at + 1 :],
            plain[:at] + letters.get(plain[at], plain[at]) + plain[at + 1 :],
            f" {plain}",
            f"{plain} ",
            f"{plain}\\u0000",
            f"{plain}\\u0000x",
            f"{plain}[]",
            f"{plain}\u200b",
            f"x{plain}",
        ]
    )


def _member(random: Random, field: str, value: str) -> str:
    quote = random.choices(['"', "'", ""], [97, 1.5, 1.5])[0]
    return f"{quote}{name(random, field)}{quote}{random.choice(['', '', ' '])}:{random.choice(['', ' ', '\n\t'])}{value}"


def _object(random: Random, members: list[str]) -> str:
    random.shuffle(members)
    comma = random.choices([",", ", ", ",,", ", /* x */ "], [60, 38, 1, 1])[0]
    end = random.choices(["}", ",}", "} // x"], [97, 2, 1])[0]
    return "{" + comma.join(members) + end


def _field(random: Random, field: str) -> list[str]:
    """Members that give a field: none, one or several."""
    found = []
    if random.random() < 0.85:
        found.append(_member(random, field, random.choice(_VALUES[field])))
    if random.random() < 0.15:
        found.append(_member(random, field, random.choice(_DECOYS[field])))
    return found


def body(random: Random) -> bytes:
    """A body of ``jobs.submit`` or ``jobs.run_now`` that might say something denied."""
    members = []
    for about in random.sample([*_DECOYS], random.randrange(1, 4)):
        if about == "enabled":
            queue = _object(random, _field(random, about))
            shown = random.choices([queue, f"[{queue}]", "true"], [90, 8, 2])[0]
            members.append(_member(random, "queue", shown))
        elif about == "notebook_path":
            tasks = []
            for _ in range(random.randrange(1, 3)):
                notebook = _object(random, _field(random, about))
                tasks.append(_object(random, [_member(random, "notebook_task", notebook)]))
            listed = f"[{','.join(tasks)}]"
            shown = random.choices([listed, tasks[0], f"[{listed}]"], [90, 8, 2])[0]
            members.append(_member(random, "tasks", shown))
        else:
            members += _field(random, about)
    if random.random() < 0.1:
        members.append(f'"note": "x&{name(random, "job_id")}=77&y=1"')
    text = _object(random, members)
    text = random.choices(
        [text, f" {text}\n", f"{text}{{}}", f"\ufeff{text}", f"{text}\0"], [80, 17, 1, 1, 1]
    )[0]
    return text.encode(random.choices(["utf-8", "utf-16"], [99, 1])[0], "surrogatepass")


_QUERY_VALUES = {
    "job_id": _listed(
        "77 | 77 | %37%37 | +77 | 77+ | %2B77 | 077 | 77.0 | 7_7 | 0x4D | 8 | 8;job_id=77 | 8?job_id=77 | 8%26job_id=77 | "
        "%2577 | %253737 | 77%00 | ٧٧"
    ),
    "path": _listed(
        "/Users/ceo/plan | /Workspace/Users/ceo/plan | %2FUsers%2Fceo%2Fplan | /Users/ceo/plan/ | /Users//ceo/plan | "
        "/Users/%63eo/plan | /Users/%2563eo/plan | /Users/ada/x | /Users/ada/x;path=/Users/ceo/plan | Users/ceo/plan | "
        "/Users/ada/x&path=/Users/ceo/plan"
    ),
}


def query(random: Random, field: str) -> bytes:
    """A query that might give a field the denied value."""
    pairs = []
    for _ in range(random.choices([1, 2, 3], [70, 22, 8])[0]):
        written = name(random, field).replace("\\u0000", "%00").replace("\\u", "%u")
        at = random.randrange(len(field))
        encoded = f"{field[:at]}%{ord(field[at]):02X}{field[at + 1 :]}"
        twice = encoded.replace("%", "%25")
        shown = random.choice(
            [field, field, field, written.replace(" ", "+"), encoded, twice, f"x=1;{field}", f"x=1?{field}"]
        )
        pairs.append(f"{shown}={random.choice(_QUERY_VALUES[field])}")
    found = random.choice(["&", "&", "&", "&&", ";"]).join(pairs)
    return "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode()) for char in found
    ).encode()
