"""The policy: an unmodified Hugging Face Qwen2.5-VL, its inputs, its forward pass and its weights.

This package itself exports nothing, because each of its modules loads torch. Import from the modules:

| module | contents |
|---|---|
| `model_folder` | check of a checkpoint's folder; reader of its weights, one by one |
| `prompter`, `clips` | tokens of a prompt; a clip (turntable video) as pixels and as features |
| `positions` | rotary positions, computed by the rule that the inference engine uses |
| `groups`, `layout`, `attention` | a prompt with all its completions; several of these in one row; attention in a row |
| `policy`, `logprobs`, `sampling` | forward pass; log-probabilities; sampling without an inference engine |
| `pixel_cache`, `vision_tower`, `feature_store` | clips as pixels in memory; vision tower; its output on disk |
| `adapter`, `merge`, `tensor_file`, `weights` | LoRA adapters: as files, merged into weights, sent to engines |
| `fingerprint` | the check that every engine serves the weights that the learner sent |
| `optimizer` | learning-rate schedule; AdamW for small networks |
"""
