"""What the model sees of a text."""

from __future__ import annotations

import pytest
from caseline.assessment.embedded.features import MASK, char_slots, mark_negated, pair_slots, tokenise
from caseline.assessment.language import identify_language
from caseline.assessment.text import MOST_CHARACTERS, clean_text, cut_bytes, own_words, primary_language
from hypothesis import given
from hypothesis import strategies as st


def test_links_mentions_and_numbers_become_one_token_each():
    assert tokenise("@Shop paid 12.50 at https://example.com/x") == ("<user>", "paid", "<num>", "at", "<url>")


def test_stretched_words_and_curly_apostrophes_are_evened_out():
    assert tokenise("Sooooo bad, doesn’t work!!") == ("soo", "bad", "doesn't", "work", "!", "!")


def test_a_negation_reaches_three_words_within_its_clause():
    assert mark_negated(tokenise("not bad at all today")) == [False, True, True, True, False]
    assert mark_negated(tokenise("not now but good")) == [False, True, False, False]


@given(st.text(max_size=80))
def test_slots_are_in_range_for_any_text(text):
    tokens = tokenise(clean_text(text))
    assert all(0 <= s <= MASK for token in tokens for s in char_slots(token))
    assert all(0 <= s <= MASK for s in pair_slots(tokens))


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200))
def test_a_cleaned_text_can_be_sent_anywhere(text):
    cleaned = clean_text(text)
    assert "\x00" not in cleaned
    assert clean_text(cleaned) == cleaned
    cleaned.encode("utf-8")


def test_a_huge_text_is_capped():
    assert len(clean_text("a" * 1_000_000)) == MOST_CHARACTERS


@given(st.text(max_size=200), st.integers(min_value=0, max_value=50))
def test_bytes_are_cut_between_characters(text, most):
    cut = cut_bytes(text, most)
    assert text.startswith(cut)
    assert len(cut.encode()) <= most
    assert cut == text or len(text[: len(cut) + 1].encode()) > most


def test_language_tags_are_read_as_platforms_write_them():
    tags = ("pt-BR", "PT_br", "und", "qme", "", None, "en")
    assert [primary_language(tag) for tag in tags] == ["pt", "pt", None, None, None, None, "en"]


def test_languages_are_told_apart():
    texts = {
        "en": "When will my order arrive?", "de": "Wann kommt meine Bestellung an?", "fr": "Quand est-ce que ma commande arrive ?",
        "es": "¿Cuándo llega mi pedido a casa?", "it": "Quando arriva il mio ordine?", "pt": "Quando é que a minha encomenda chega?",
        "nl": "Wanneer komt mijn bestelling aan?", "ru": "Когда придёт мой заказ?", "ar": "متى يصل طلبي", "ko": "주문이 언제 도착하나요",
    }
    assert {identify_language(text): text for text in texts.values()} == texts


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("RT @acme: all new, all yours", ""),
        ("Finally! RT @acme: all new", "Finally!"),
        ("“@acme: all new” no, it is not", "no, it is not"),
        ('so "@acme: all new" they say', "so they say"),
        ("“@acme: cut off in the mid", ""),
        ("help me out with a RT @friend you are my hope", "help me out with a RT @friend you are my hope"),
        ('he said "call @acme now"', 'he said "call @acme now"'),
    ],
)
def test_own_words_are_what_is_left_without_posts_of_others(text: str, own: str) -> None:
    assert own_words(text) == own
