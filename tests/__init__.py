"""The repository keeps its promises: chapters, book build, pages, browser, packaging."""
