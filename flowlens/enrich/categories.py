"""Columns of words as categories: codes beside the distinct words, which are all that is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["categorical_of", "codes_among", "per_category"]


def categorical_of(series: pd.Series) -> pd.Categorical[str]:
    """Return the values of a column of words as categories."""
    return series.array if isinstance(series.dtype, pd.CategoricalDtype) else pd.Categorical(series)


def per_category(column: pd.Categorical[str], codes: np.ndarray, words: Sequence[str]) -> pd.Categorical[str]:
    """Return words for the rows of a column, given the code of the word for each of its categories."""
    small = np.append(codes, -1).astype(np.min_scalar_type(-max(len(words), 1)))  # -1 is a missing value
    return pd.Categorical.from_codes(small[column.codes], categories=pd.Index(words, dtype=str))


def codes_among(words: pd.Index, column: pd.Categorical[str]) -> np.ndarray:
    """Return the places of a column's values among some words; -1 where a value is missing or none of them."""
    codes: np.ndarray = column.codes
    if column.categories is not words:
        codes = np.append(words.get_indexer(column.categories), -1)[codes]
    return codes
