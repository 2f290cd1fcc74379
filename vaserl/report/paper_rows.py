"""The benchmark table published with VaseVQA-3D, as data: nineteen systems, none of them measured by this program."""

from dataclasses import dataclass

PAPER_SOURCE = "README of github.com/AIGeeksGroup/VaseVQA-3D, table of results (arXiv 2510.04479)"
PAPER_NOTE = (
    f"Published numbers, not measured here. Source: {PAPER_SOURCE}. They come from another data set, six still views "
    "and a prompt with an example caption. Fifteen rows fit 96 vases; Gemini-2.5-flash fits 91 and Cap3D 192; "
    "VaseVLM-7B-RL fits no count of hits below 1,789 vases."
)


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row of the published table."""

    system: str
    fid: float
    clip: float
    recall_at_10: float
    """Percentage, as are the other recalls."""
    recall_at_5: float
    recall_at_1: float
    lexical: float


PAPER_ROWS = (
    PaperRow("DiffuRank (3D)", 0.421, 0.798, 16.67, 8.33, 2.08, 0.274),
    PaperRow("Cap3D (3D)", 0.445, 0.792, 14.58, 7.29, 1.56, 0.267),
    PaperRow("LLaVA3D (3D)", 0.494, 0.784, 10.42, 5.21, 1.04, 0.238),
    PaperRow("Gemini-2.5-flash", 0.325, 0.736, 28.57, 17.58, 2.20, 0.210),
    PaperRow("Claude-4-sonnet", 0.353, 0.676, 23.96, 10.42, 3.12, 0.188),
    PaperRow("Gemini-2.5-Pro", 0.397, 0.680, 22.92, 14.58, 3.12, 0.162),
    PaperRow("GPT-4.1", 0.501, 0.644, 25.00, 10.42, 3.12, 0.128),
    PaperRow("Claude-3.5-sonnet", 0.455, 0.643, 15.62, 8.33, 2.08, 0.116),
    PaperRow("Doubao-1.5-vision-pro-32k", 0.504, 0.606, 14.58, 4.17, 1.04, 0.074),
    PaperRow("GPT-4o", 0.582, 0.520, 13.54, 6.25, 2.08, 0.104),
    PaperRow("Claude-3.7-sonnet", 0.600, 0.339, 13.54, 6.25, 1.04, 0.101),
    PaperRow("InternVL", 0.376, 0.771, 10.42, 8.33, 2.08, 0.252),
    PaperRow("Qwen2.5-VL-7B", 0.334, 0.775, 18.75, 9.38, 2.08, 0.217),
    PaperRow("Qwen2.5-VL-3B", 0.358, 0.782, 9.38, 6.25, 1.04, 0.259),
    PaperRow("VaseVL (2D)", 0.493, 0.790, 10.40, 6.25, 2.08, 0.255),
    PaperRow("VaseVLM-3B-SFT", 0.359, 0.788, 17.71, 8.33, 2.08, 0.223),
    PaperRow("VaseVLM-3B-RL", 0.363, 0.789, 17.71, 10.42, 2.08, 0.245),
    PaperRow("VaseVLM-7B-SFT", 0.332, 0.779, 20.83, 10.42, 3.12, 0.272),
    PaperRow("VaseVLM-7B-RL", 0.328, 0.792, 21.24, 11.12, 3.52, 0.276),
)
