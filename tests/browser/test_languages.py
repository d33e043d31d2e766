"""The page in Chinese, in a real browser: what is shown, what is sent, and the choice of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from gansr.papers import METHODS
from gansr.ui.languages import texts
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
TABS = ["compare", *(method.name for method in METHODS), "results", "rate", "about"]
SENTENCE = re.compile(
    r"\b[A-Za-z]{2,}(?:'s)? [a-z]{2,} [a-z]{2,}\b"
)  # three English words that follow each other
# A text, and its translation without what stands for a field.
MESSAGES = {
    "Closer to the original than bicubic in 3 of 5 measures; identity 0.45 (bicubic 0.96): another person.": (
        "在 5 项指标中有 3 项比双三次更接近原图；身份相似度 0.45（双三次 0.96）：不是同一个人。"
    ),
    "PULSE · Step 12 of 80 · 15 % · about 9 s left": "PULSE · 第 12/80 步 · 15 % · 剩余约 9 秒",
    "2 of 5 methods · KernelGAN + ZSSR: Waiting: 2 jobs ahead, about 40 s": (
        "2/5 种方法 · KernelGAN + ZSSR：等待：前面还有 2 个任务，约 40 秒"
    ),
    "Not a PNG, JPEG, WebP, HEIC or AVIF picture: this is text. Choose a file of one of these formats.": (
        "不是 PNG、JPEG、WebP、HEIC 或 AVIF 图片：这是文本。请选择这些格式之一的文件。"
    ),
    "agrees with your picture roughly (33 dB), mostly around the lower left": (
        "与你的图片大致一致（33 dB），差异主要在左下部附近"
    ),
    "generator loss 0.12": "生成器损失 0.12",
    "my holiday, part two.png": "my holiday, part two.png",
    "Press the button to try this": "Press the button to try this",
}


# Opens one closed group of the visible tab; true when there is none.
UNFOLDED = """() => {
  const closed = [...document.querySelectorAll("button.label-wrap:not(.open)")].find(one => one.offsetParent);
  if (closed) closed.click();
  return !closed;
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests/support/tabs_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """visit("zh-CN", query="", …) → the page in a browser of this language."""
    with visits(chromium, address) as open_page:

        def opened(locale: str, query: str = "", **settings: Any) -> Any:
            page = open_page(query, locale=locale, **settings)
            page.locator("#compare-run, #srgan-run").filter(visible=True).first.wait_for()
            return page

        yield opened


def shown_text(page: Any) -> str:
    """The visible text of the active tab with everything unfolded, but for tables of names and the papers' titles."""
    return page.evaluate(
        """() => {
          const tab = [...document.querySelectorAll('[role=tabpanel]')].find(one => one.offsetParent);
          tab.querySelectorAll('details').forEach(one => one.open = true);
          const left = [...tab.querySelectorAll('table.about td, code, a')];
          left.forEach(one => one.style.display = 'none');
          const text = tab.innerText;
          left.forEach(one => one.style.display = '');
          return text;
        }"""
    )


def test_no_tab_has_an_english_sentence(visit):
    page = visit("zh-CN")
    names = [method.paper.authors for method in METHODS]
    for at, tab in enumerate(TABS):
        page.locator("button[role=tab]").nth(at).click()
        page.wait_for_function(UNFOLDED)
        text = shown_text(page)
        for name in names:
            text = text.replace(name, "")
        assert re.search(r"[\u3400-\u9fff]", text), tab
        assert not SENTENCE.findall(text), tab


def test_a_run_shows_its_status_table_and_verdict_in_chinese_and_sends_english(visit):
    page = visit("zh-CN", "tab=srgan")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.locator("#srgan-examples button").first.click()
    page.locator("#srgan-seen", has_text="使用的输入").wait_for()
    page.get_by_text("质量测试", exact=True).locator("visible=true").first.click()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="完成").wait_for()
    page.locator("#srgan-measures", has_text="LR 一致性").wait_for()
    page.locator("#srgan-verdict", has_text="与你的图片").wait_for()
    page.locator("#srgan-pictures", has_text="双三次").wait_for()
    assert "预设" not in "".join(sent) and "质量测试" not in "".join(sent)
    assert any('"known answer"' in body for body in sent)


def test_an_error_is_told_in_chinese(visit):
    page = visit("zh-CN", "tab=srgan")
    page.locator("#srgan-run").click()
    page.locator(
        "#srgan-status", has_text=texts("zh")["no picture yet: drop one, paste one, or choose an example"]
    ).wait_for()


def test_messages_are_translated_by_their_templates_and_other_texts_are_not(visit):
    page = visit("zh-CN")
    for english, chinese in MESSAGES.items():
        assert page.evaluate("text => inLanguage(text)", english) == chinese


def test_long_texts_of_separators_take_no_time_to_speak_of(visit):
    page = visit("zh-CN")
    text = "about a, b: c; d. e and f × of (px) to " * 50
    tried = page.evaluate(
        """text => { const real = String.prototype.endsWith; let calls = 0;
          String.prototype.endsWith = function (...given) { calls++; return real.apply(this, given); };
          inLanguage(text); String.prototype.endsWith = real; return calls; }""",
        text,
    )
    assert tried < 100_000


def test_the_address_decides_before_the_browser(visit):
    for locale, query, language, run in (
        ("en-US", "lang=zh", "zh-CN", "全部运行"),
        ("zh-CN", "lang=en", "en", "Run all"),
        ("zh-CN", "", "zh-CN", "全部运行"),
        ("de-DE", "", "en", "Run all"),
    ):
        page = visit(locale, query)
        assert page.evaluate("document.documentElement.lang") == language
        assert page.locator("#compare-run").inner_text() == run
        assert (
            page.locator("#compare-problem input")
            .input_value()
            .startswith("自动" if run == "全部运行" else "Auto")
        )
        head = page.locator("#compare-picture").inner_text()
        assert bool(re.search(r"[\u3400-\u9fff]", head)) == (language == "zh-CN"), head


def test_a_link_leads_to_the_page_in_the_other_language_and_keeps_the_address(visit):
    page = visit("en-US", "tab=srgan")
    page.get_by_role("link", name="中文").click()
    page.locator("#srgan-run", has_text="运行").wait_for()
    assert "tab=srgan" in page.url and "lang=zh" in page.url
    page.get_by_role("link", name="English").click()
    page.locator("#srgan-run", has_text="Run").wait_for()


def test_a_menu_of_the_viewer_finds_commands_by_their_chinese_names(visit):
    page = visit("zh-CN", "tab=srgan")
    page.locator("#srgan-examples button").first.click()
    page.locator("#srgan-seen", has_text="使用的输入").wait_for()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="完成").wait_for()
    page.locator("#srgan-pictures [data-do=more]").click()
    page.locator("#srgan-pictures [data-do=commands]").click()
    page.locator("#srgan-pictures [data-el=find]").fill("全屏")
    assert page.locator("#srgan-pictures [data-el=found] li").all_inner_texts() == ["全屏"]
