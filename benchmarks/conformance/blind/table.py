"""What was said of each mistake, as a table in Markdown.

The column "verdict" is filled in by hand: right with parameter, right, unnamed, wrong.
A verdict that stands in DIR/verdicts.json, a text by id, is put there.
"""

import json


def written(folder, known):
    """Return the table of the records of a folder, in the order of the list."""
    verdicts = read(folder / "verdicts.json") if known else {}
    rows = [
        "| id | mistake | caught | what was said | verdict |",
        "|---|---|---|---|---|",
    ]
    for id, mistake in known.items():
        if found := read(folder / f"{id}.json"):
            cells = (
                id,
                what(mistake),
                caught(found),
                said(found),
                verdicts.get(id, ""),
            )
            rows.append(f"| {' | '.join(map(escaped, cells))} |")
    return "\n".join(rows) + "\n"


def read(path):
    """Return a JSON file; {} if there is none."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def what(mistake):
    """Return a mistake in a line."""
    told = f"{mistake['program']}: {mistake.get('description', 'no mistake')}"
    if "span" in mistake:
        before, after = (" ".join(mistake[k].split()) for k in ("before", "after"))
        told += f", `{shortened(before)}` → `{shortened(after)}`"
    return told


def shortened(text):
    """Return the beginning of a long text."""
    return text if len(text) <= 70 else f"{text[:67]}…"


def caught(found):
    """Return the levels that fail, or why there are none."""
    if found["caught"] is None:
        return found["ended"]
    return ", ".join(found["levels"]) if found["caught"] else "no"


def said(found):
    """Return the texts of the diagnoses."""
    return "; ".join(d["text"] for d in found["diagnoses"]) or "nothing"


def escaped(text):
    """Return a text that does not end its cell."""
    return text.replace("|", "\\|").replace("\n", " ")
