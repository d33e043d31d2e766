"""The languages of the page: no text is missing, none is left over, and the choice of the language."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from pathlib import Path

import gradio as gr
import pytest

from gansr import gallery, papers, weights
from gansr.options import options_of
from gansr.ui import examples, languages
from gansr.ui.languages import I18N, TAGS, in_language, key, language_of, reached_by_gradio, texts
from gansr.ui.page import build
from tests.support.page_texts import (
    PACKAGE,
    Known,
    built_texts,
    html_texts,
    is_sentence,
    parts,
    script_literals,
    source_literals,
    template,
)

# Texts of these no page shows: command line, publishing, API and MCP, benches, training, converters, networks.
NOT_OF_THE_PAGE = (
    "__main__.py", "backends/ray/application.py", "backends/ray/command.py", "backends/ray/driver.py",
    "backends/ray/messages.py",
    "backends/ray/metrics.py", "backends/ray/settings.py", "bench/*", "compare/cli.py", "nets/*",
    "papers/*/bench*.py", "papers/*/convert.py",
    "papers/*/network.py", "papers/*/train.py", "papers/*/train_command.py", "papers/glean/losses.py",
    "papers/glean/own.py", "papers/glean/released.py", "papers/mganprior/labels.py",
    "papers/glean/synthetic.py", "papers/training.py", "papers/training_loop.py", "papers/srgan/discriminator.py",
    "papers/srgan/pairs.py", "papers/srgan/losses.py",
    "picture/arrays.py", "rating/build.py", "rating/cli.py", "rating/exchange.py", "rating/publish.py",
    "rating/vote.py", "results/cli.py", "results/merge.py", "results/plane.py", "results/records.py",
    "results/site.py", "results/tables.py", "ui/api.py", "ui/gallery_*.py", "ui/languages/*", "ui/mcp_*.py",
    "ui/log.py", "ui/shutdown.py",
    "weights/authors.py", "clean_start.py", "deploy.py", "front_matter.py", "weights/card.py", "weights/edit.py",
    "weights/publish.py", "weights/commands.py", "weights/converters/*", "weights/manifest.py", "speeds.py",
)  # fmt: skip
# Names, which stay, besides those of papers, weights and pictures; "Aligned" and three more are classes too.
NAMES = (
    "name=value name=value", "CSV", "LaTeX", "Markdown", "PNG", "SVG", "Set5", "Set14",
    "SRResNet", "Adam", "adam", "sgd", "sgdm", "adamax", "JPEG", "GIF", "WebP", "gansr", "Hub",
    "bilinear-antialias", "bilinear-point", "bicubic-point", "Ctrl K", "Shift ←", "Shift →", "Shift ↑",
    "Shift ↓", "Shift 0", "Esc", "Backspace", "own", "registry", "hub, yours", "yours", "Aligned", "Dropdown", "Face",
    "Image", "Picture",
)  # fmt: skip
# Literals that look like sentences and are none, or that no visitor sees.
NOT_SHOWN = (
    # of other languages than English
    "=> ", "translate(", "inset(", "linear-gradient(", "position: fixed", "px system-ui", "onmessage",
    "textarea, select", "script, style", "default-src", "application/vnd", "window.location",
    "document.querySelectorAll", "| Method |", "{}px {}px", "data-start=", "class=", "float | None",
    "}H{", "rotate(-90", "Authorization", "Basic {}", "Accept", "Arrow", "Enter", "Escape", "button, a",
    # names of classes, networks and keys in the program
    "Entry", "FaceError", "PictureError", "WeightsError", "Unreachable", "ImageEditor", "Item", "glean, ",
    "srgan, blend", "srgan, own", "eager ", "pulse gaussian", "smallest mse", "known answer", "temp-file cleanup",
    "GPU task aborted", "No GPU (was", "illegal duration|", "quota exceeded|", "[Ee]xpired", "no gpu", "zssr {}",
    "ZeroGPU", "layer {}", "the worker broke down",
    "hub download", "VmHWM", "MemAvailable", "can't allocate memory", "CUDA error: out of memory", "%s",
    # for the command line, and errors in the program or its files
    "receipt: ", "name the files to import", "is made from {} files", "has no converter",
    "the published file begins", "python -m gansr weights import", "there is no file {}", "is not a link",
    "it has more than {} bytes", "it holds no table", "it is not used (", "malformed rows are not used",
    "SELECT ", "INSERT ", "DELETE FROM", "PRAGMA ", "CREATE TABLE", "BEGIN IMMEDIATE", "SAVEPOINT", "ROLLBACK TO",
    "RELEASE one", "WHERE session", "gansr-rating-failed", "button, summary", "Backspace",
    "{}/{} at {}", "Hex digest", "has no place for the script", "the small picture is a square of this many",
    "how many times larger the result is to be", "the small picture is first shrunk to at most",
    "a PNG's text has keys", "the alpha of a", "the text of a PNG is at most", "an animation needs",
    "px cannot have {} bytes",
    "which is not stored", "the weight file", "of the wrong shape", "and {} more", "{} is {}, {} is needed",
    "a picture has shape (3,H,W)", "ZSSR has at least", "with at least one",
)  # fmt: skip


@cache
def page() -> gr.Blocks:
    async def built() -> (
        gr.Blocks
    ):  # in a running loop, or Gradio makes loops of its own and leaves them open
        return build()

    # Without the computed examples: their texts are those of a run, filled in.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "GALLERY", Path("none"))
        gallery.read.cache_clear()
        found = asyncio.run(built())
    gallery.read.cache_clear()
    return found


@cache
def names() -> set[str]:
    found: set[str] = {*NAMES, *languages.TITLES.values()}
    for method in papers.METHODS:
        paper = method.paper
        found |= {
            method.name,
            method.title,
            paper.authors,
            paper.title,
            paper.venue,
            f"{paper.venue} {paper.year}",
        }
        found |= set(options_of(method.options))
        if method.how is not None:  # shown, but never translated
            found.add(template(method.how.formula))
    for entry in weights.entries().values():
        found |= {entry.name, f"{entry.name} ✓", entry.licence, entry.trained_on}
    for credit in examples.credits():
        found |= {credit.file, credit.author, credit.source, credit.licence}
    return found


@cache
def modules() -> tuple[Path, ...]:
    left_out = {path for pattern in NOT_OF_THE_PAGE for path in PACKAGE.glob(pattern)}
    return tuple(path for path in sorted(PACKAGE.rglob("*.py")) if path not in left_out)


@cache
def program_literals() -> set[str]:
    scripts = (path.read_text("utf-8") for path in sorted(PACKAGE.glob("ui/*/**/*.js")))
    return source_literals(modules()).union(*map(script_literals, scripts))


@cache
def page_texts() -> set[str]:
    sentences = {text for text in program_literals() if is_sentence(text)}
    shown = {text for text in sentences if not any(part in text for part in NOT_SHOWN)}
    return shown | built_texts(page())


def fields(text: str) -> list[str]:
    """The numbers of the fields that a translation names, in order; those without a number are counted."""
    found = re.findall(r"\{(\d?)!?\}", text)
    return sorted(number or str(place) for place, number in enumerate(found))


# ---------------------------------------------------------------------------------------- the dictionaries


@pytest.mark.parametrize("language", TAGS)
def test_every_text_of_the_page_is_translated(language):
    known = Known(texts(language), names())
    missing = sorted(text for text in page_texts() if not known.has(text))
    assert not missing, f"add to gansr/ui/languages/{language}.json:\n" + "\n".join(missing)


@pytest.mark.parametrize("language", TAGS)
def test_no_translation_is_left_of_a_text_that_the_page_does_not_have_any_more(language):
    there = {key(part) for text in program_literals() | built_texts(page()) for part in parts(text)}
    old = [english for english in texts(language) if key(template(english)) not in there]
    assert not old, f"remove from gansr/ui/languages/{language}.json:\n" + "\n".join(old)


@pytest.mark.parametrize("language", TAGS)
def test_a_translation_has_the_fields_of_its_text(language):
    for english, translated in texts(language).items():
        wanted = [str(number) for number in range(english.count("{}"))]
        assert sorted(set(fields(translated))) == wanted, english


@pytest.mark.parametrize("language", TAGS)
def test_no_text_has_two_translations(language):
    keys = [key(english) for english in texts(language)]
    assert len(keys) == len(set(keys))


def test_the_collector_finds_texts_of_every_kind():
    found = page_texts()
    for text in (
        "Which face",  # a label
        "principal direction 3",  # a choice
        "Type a command",  # a placeholder
        "Keys and gestures",  # HTML
        "needs at least {} px on the shorter side",  # an f-string in a metric
        "{} jobs ahead",  # one of two alternatives
        "waiting for its turn, {}",  # a sum of texts
        "queued {} s · computed {} s",  # in HTML of an f-string
        "No {}: {}",  # a template in a script
        "as it is compared",  # inside of a template in a script
    ):
        assert text in found, text


def test_the_collector_reads_html_and_scripts():
    assert html_texts('<p title="Help">One <b>two</b></p><style>three</style>') == ["Help", "One ", "two"]
    code = 'a("one two"); // "three"\nb(`four ${c ? `five ${d} six` : "seven"} eight`, /"nine/g);'
    assert script_literals(code) == {"one two", "four {} eight", "five {} six", "seven"}


def test_a_missing_text_is_told():
    known = Known({"One two": "", "Three {}": "{}", "Type {}": "{!}"}, ["PULSE"])
    for text in (
        "one two.",
        "Three {}",
        "One two · three 4",
        "Three PULSE",
        "PULSE; three one two",
        "Type all words",
    ):
        assert known.has(text), text
    for text in ("four five", "One two · four five", "Three fours"):
        assert not known.has(text), text


# ------------------------------------------------------------------------------------- what Gradio translates


def test_gradio_translates_labels_but_no_value_of_a_control():
    reached = reached_by_gradio(page())
    assert {"Which face", "Run all", "About"} <= reached


def test_gradio_does_not_translate_a_text_that_is_also_a_value():
    async def built() -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as small:
            gr.Radio(["Paper", "Quick"], value="Paper", label="Preset")
            gr.Number(label="Paper")
        return small

    assert reached_by_gradio(asyncio.run(built())) == {"Preset"}


def test_gradio_gets_the_translations_of_what_it_translates():
    page()
    assert I18N.translations["zh-CN"]["Which face"] == texts("zh")["Which face"]
    assert set(I18N.translations["zh-CN"]) <= reached_by_gradio(page())


def test_the_api_stays_english():
    described = page().get_api_info()
    assert not re.search(r"[\u3400-\u9fff]", str(described))


# -------------------------------------------------------------------------------------- the language of a page


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "zh-TW", "zh"),
        ("", "de-DE,de;q=0.9,en;q=0.8,zh;q=0.7", "en"),
        ("", "de, zh;q=0.5", "zh"),
        ("", "en;q=0.3, zh;q=0.9", "zh"),
        ("", "zh;q=0, de", "en"),
        ("", "zh;q=nine", "en"),
        ("lang=zh", "en", "zh"),
        ("tab=srgan&lang=en", "zh", "en"),
        ("lang=xx", "zh", "zh"),
        ("slang=zh", "en", "en"),
        ("lang=zh-and-more", "en", "en"),
    ],
)
def test_the_address_decides_on_the_language_and_then_the_browser(query, accepted, language):
    assert language_of(query.encode(), [(b"Accept-Language", accepted.encode())]) == language


def test_the_page_gets_its_language_and_the_script_before_gradios():
    html = b'<html lang="en"><head><script type="module" src="a.js"></script></head></html>'
    chinese, english = in_language(html, "zh").decode(), in_language(html, "en").decode()
    assert '<html lang="zh-CN">' in chinese and '<html lang="en">' in english
    assert chinese.index(texts("zh")["Stop"]) < chinese.index('<script type="module"')
    assert texts("zh")["Stop"] not in english
    assert chinese.count("</script>") == 2


def test_a_page_without_a_place_for_the_script_is_an_error():
    with pytest.raises(ValueError, match="no place"):
        in_language(b"<html></html>", "zh")


def test_a_key_ignores_the_first_capital_the_last_stop_and_line_breaks():
    assert key("One  two\n three.") == key("one two three")
    assert languages.key("PSNR") != key("Psnr")
