"""A procedural world of talking heads with exact ground truth: people, faces that move, speech and captions.

It replaces recorded data where none may be shipped, and it is the only place where lip-sync, emotion and
identity can be measured against the truth. See `renderer.Renderer`, `identity.sample_identity` and
`expression.emotion_expression`.
"""
