"""The policy: an unmodified Hugging Face Qwen2.5-VL, its inputs, its forward pass and its weights.

Import from the modules, because each of them loads torch:

| module | holds |
|---|---|
| `model_folder` | checks a checkpoint's folder and reads its weights one by one |
| `prompter`, `clips` | tokens of a prompt; a clip (turntable video) as pixels and as features |
| `positions` | rotary positions, computed as the engine computes them |
| `groups`, `layout`, `attention` | a prompt with all its completions, rows of these, attention over a row |
| `policy`, `logprobs`, `sampling` | forward pass, log-probabilities, sampling without an engine |
| `pixel_cache`, `vision_tower`, `feature_store` | processed clips in memory, their encoder, its output on disk |
| `adapter`, `merge`, `tensor_file`, `weights` | a LoRA adapter as bytes, merged, and as weights for the engines |
| `fingerprint` | the check that every engine serves the weights that the learner sent |
| `optimizer` | learning-rate schedule, and AdamW for small networks |
"""
