"""What mkdocs.yml hooks into the build of the site.

The pages are written for a checkout, where they link to CHANGELOG.md and others above docs/, and their fences say
what tests/test_docs.py does with them. Here both become what a site needs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# Files at the top of the checkout that are pages of the site.
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}

FENCE = re.compile(r"^```(\w+) ([^\n]+)$", re.MULTILINE)
LINK_UP = re.compile(r"\]\((?:\.\./)+(\w+\.md)")
LINK_DOWN = re.compile(r"\]\(docs/")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that live at the top of the checkout."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text("utf-8")
        files.append(File.generated(config, page, content=LINK_DOWN.sub("](", text)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Give each named block its file's name as title, and drop what only the test reads."""
    depth = page.file.src_uri.count("/")
    markdown = FENCE.sub(_titled, markdown)
    return LINK_UP.sub(lambda match: f"]({'../' * depth}{PAGES.get(match[1], match[1])}", markdown)


def _titled(fence: re.Match[str]) -> str:
    language, about = fence.groups()
    return f"```{language}" if "=" in about else f'```{language} title="{about}"'
