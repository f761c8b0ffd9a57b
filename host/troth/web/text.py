"""Markdown of our own docs to HTML: headings, paragraphs, lists, code, tables, links. No more."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_LINK = re.compile(r"\[([^\]]+)\]\(((?:https?://|/|#)[^)\s]*)\)")
_NEIGHBOUR = re.compile(r"\[([^\]]+)\]\(([a-z0-9-]+)\.md\)")  # another page
_BLOCK = re.compile(r"(?m)(?:^\s*\n)+")
_FENCE = re.compile(r"(?ms)^```[^\n]*\n(.*?)^```\s*$")


def to_html(source: str) -> Markup:
    """Safe by construction: text is escaped first, and only our own tags are added."""
    parts: list[Markup] = []
    for number, piece in enumerate(_FENCE.split(source)):
        if number % 2:
            parts.append(Markup("<pre><code>{}</code></pre>").format(piece.rstrip("\n")))
        else:
            parts.extend(_block(block) for block in _BLOCK.split(piece) if block.strip())
    return Markup("\n").join(parts)


def _block(block: str) -> Markup:
    lines = block.strip("\n").split("\n")
    if lines[0].startswith("#"):
        level = min(len(lines[0]) - len(lines[0].lstrip("#")), 4)
        head = _tagged(f"h{level}", _inline(lines[0].lstrip("# ")))
        rest = "\n".join(lines[1:])
        return head + (_block(rest) if rest.strip() else Markup(""))
    if lines[0].startswith("|"):
        return _table(lines)
    if re.match(r"[-*] ", lines[0]):
        return _list(lines, "ul", r"[-*] ")
    if re.match(r"\d+\. ", lines[0]):
        return _list(lines, "ol", r"\d+\. ")
    return Markup("<p>{}</p>").format(_inline(" ".join(lines)))


def _inline(text: str) -> Markup:
    done = str(escape(text))
    done = _CODE.sub(r"<code>\1</code>", done)
    done = _BOLD.sub(r"<strong>\1</strong>", done)
    done = _NEIGHBOUR.sub(r'<a href="/docs/\2">\1</a>', done)
    return Markup(_LINK.sub(r'<a href="\2">\1</a>', done))  # noqa: S704 - escaped above


def _list(lines: list[str], tag: str, mark: str) -> Markup:
    items: list[str] = []
    for line in lines:
        if re.match(mark, line):
            items.append(re.sub(mark, "", line, count=1))
        elif items:
            items[-1] += " " + line.strip()
    body = Markup("").join(Markup("<li>{}</li>").format(_inline(item)) for item in items)
    return _tagged(tag, body)


def _tagged(tag: str, body: Markup) -> Markup:
    """`tag` is one of ours, never of the text."""
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), body)  # noqa: S704 - as the line above says


def _table(lines: list[str]) -> Markup:
    rows = [_cells(line) for line in lines if not re.fullmatch(r"[|\s:-]+", line)]
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(cell) for cell in rows[0])
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)
        )
        for row in rows[1:]
    )
    return Markup(
        '<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


def _cells(line: str) -> list[Markup]:
    return [_inline(cell.strip()) for cell in line.strip().strip("|").split("|")]
