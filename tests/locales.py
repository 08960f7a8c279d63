"""The texts of every node as ComfyUI's page reads them, in English from the schemas and in Chinese from a
table of sentences: `locales/` and the Chinese help pages.

After a change of a node's texts: `python tests/test_locales.py --write`. What the table
(`tests/chinese.json`) does not know keeps its old Chinese, and is listed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCALES = ROOT / "locales"
HELP = ROOT / "web" / "docs"
TABLE = Path(__file__).with_name("chinese.json")

DUMP = """
import asyncio, json

async def nodes():
    return await (await load_pack().comfy_entrypoint()).get_node_list()

def texts(node):
    found = node.GET_SCHEMA()
    return {
        "category": found.category,
        "display_name": found.display_name,
        "description": found.description,
        "inputs": {part.id: {"name": part.display_name or part.id, "tooltip": part.tooltip}
                   for part in found.inputs},
        "outputs": {str(i): {"name": part.display_name, "tooltip": part.tooltip}
                    for i, part in enumerate(found.outputs)},
    }

print("TEXTS" + json.dumps({node.GET_SCHEMA().node_id: texts(node) for node in asyncio.run(nodes())}))
"""

Texts = dict[str, dict[str, Any]]


def english(dumped: Texts) -> Texts:
    """`nodeDefs.json` in English."""
    return {
        node: {key: value for key, value in texts.items() if key != "category"}
        for node, texts in dumped.items()
    }


def translated(texts: Any, table: dict[str, str], former: Any, unknown: list[str]) -> Any:
    """The same texts by the table; those it does not know as they ``former``ly were, and into ``unknown``."""
    if isinstance(texts, dict):
        former = former if isinstance(former, dict) else {}
        return {key: translated(value, table, former.get(key), unknown) for key, value in texts.items()}
    if texts in table:
        return table[texts]
    unknown.append(texts)
    return former if isinstance(former, str) else texts


def categories(dumped: Texts, table: dict[str, str]) -> dict[str, str]:
    """The menu's words in Chinese."""
    words = {part for texts in dumped.values() for part in texts["category"].split("/")}
    return {word: table.get(word, word) for word in sorted(words)}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def help_page(node: str, texts: dict[str, Any]) -> str:
    """The Chinese help page: what the node is, its inputs and outputs; the pictures of the English one."""
    english_page = (HELP / node / "en.md").read_text(encoding="utf-8")
    pictures = [line for line in english_page.splitlines() if line.startswith("![")]
    parts = [f"# {texts['display_name']}", texts["description"], *pictures]
    for title, group in (("输入", texts["inputs"]), ("输出", texts["outputs"])):
        lines = [f"- **{part['name']}**：{part['tooltip']}" for part in group.values()]
        parts += [f"## {title}", "\n".join(lines)]
    parts.append("提示与示例见英文页面（将界面语言切换为 English）。")
    return "\n\n".join(parts) + "\n"


def write(dumped: Texts) -> list[str]:
    """Write all files; the English sentences that the table does not know."""
    unknown: list[str] = []
    table = read(TABLE)
    chinese = translated(english(dumped), table, read(LOCALES / "zh" / "nodeDefs.json"), unknown)
    main = {"nodeCategories": categories(dumped, table)}
    for language, name, content in (
        ("en", "nodeDefs.json", english(dumped)),
        ("zh", "nodeDefs.json", chinese),
        ("zh", "main.json", main),
    ):
        path = LOCALES / language / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for node, texts in chinese.items():
        (HELP / node / "zh.md").write_text(help_page(node, texts), encoding="utf-8")
    return sorted(set(unknown))
