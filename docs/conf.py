"""Sphinx configuration of the manual: MyST Markdown, no network, warnings are errors."""

project = "Archipelago"
author = "The Archipelago developers"
copyright = "2026, The Archipelago developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Thin, snapshotable volumes for clouds", "page_width": "1080px"}
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
