"""Emotion cross-attention: words act on places, through a gate, and on nothing before training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from eadnet.modules.embeddings import EmotionEmbedding
from eadnet.modules.emotion_attention import EmotionAttention
from tests.golden_weights import array, fill

FRAMES, PLACES, CHANNELS, WORDS, EMOTION_DIM = 3, 5, 16, 4, 10


def trained() -> EmotionAttention:
    attention = EmotionAttention(CHANNELS, heads=4, emotion_dim=EMOTION_DIM)
    fill(attention, "emotion")
    return attention.double()


def tokens(batch: int = 2) -> torch.Tensor:
    return array("tokens", batch * FRAMES, PLACES, CHANNELS).double()


def emotion(*leading: int) -> torch.Tensor:
    return array("words", *leading, WORDS, EMOTION_DIM).double()


@pytest.mark.parametrize("module", [EmotionAttention(16, 4, 10), EmotionEmbedding(10, 16)])
def test_untrained_parts_return_exact_zeros(module: nn.Module) -> None:
    words = array("words", 6, WORDS, 10)
    out = (
        module(array("tokens", 6, PLACES, 16), words)
        if isinstance(module, EmotionAttention)
        else module(words)
    )
    assert not out.any()


def test_each_clip_reads_its_own_emotion() -> None:
    attention, x, words = trained(), tokens(), emotion(2)
    together = attention(x, words)
    alone = [attention(x[i * FRAMES : (i + 1) * FRAMES], words[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_an_emotion_per_frame_acts_on_its_frame_only() -> None:
    attention, x, words = trained(), tokens(), emotion(2 * FRAMES)
    changed = words.clone()
    changed[4] += 1
    difference = (attention(x, changed) - attention(x, words)).abs().amax(dim=(1, 2)) > 1e-9
    assert difference.tolist() == [False] * 4 + [True, False]


def test_the_same_emotion_on_every_frame_equals_one_for_the_clip() -> None:
    attention, x, words = trained(), tokens(), emotion(2)
    torch.testing.assert_close(attention(x, words), attention(x, words.repeat_interleave(FRAMES, dim=0)))


def test_the_order_of_words_carries_no_meaning_here() -> None:
    """Word order is the text encoder's business; the attention reads a set."""
    attention, x, words = trained(), tokens(), emotion(2)
    torch.testing.assert_close(attention(x, words.flip(1)), attention(x, words))


def test_a_closed_gate_shuts_the_emotion_out() -> None:
    attention = trained()
    with torch.no_grad():
        attention.to_gate.weight.zero_()
        attention.to_gate.bias.fill_(-1e4)
    bias = attention.to_out.bias.expand(2 * FRAMES, PLACES, CHANNELS)
    torch.testing.assert_close(attention(tokens(), emotion(2)), bias)


def test_gradients_reach_every_parameter() -> None:
    attention = trained()
    attention(tokens(), emotion(2)).square().sum().backward()
    assert [k for k, p in attention.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_untrained_it_can_start_learning() -> None:
    attention = EmotionAttention(CHANNELS, heads=4, emotion_dim=EMOTION_DIM).double()
    (attention(tokens(), emotion(2)) * array("target", 6, PLACES, CHANNELS)).sum().backward()
    assert attention.to_out.weight.grad is not None and attention.to_out.weight.grad.any()


def test_the_global_signal_pools_the_words_of_each_clip_or_frame() -> None:
    embedding = EmotionEmbedding(EMOTION_DIM, 16)
    fill(embedding, "global")
    embedding = embedding.double()
    words = emotion(2, FRAMES)
    assert embedding(words).shape == (2, FRAMES, 16)
    torch.testing.assert_close(embedding(words)[:, 1], embedding(words[:, 1]))
    torch.testing.assert_close(embedding(words.flip(2)), embedding(words))
