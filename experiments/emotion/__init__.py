"""Does the face follow the text? `evaluator` generates faces and reads them, `following` asks whether they
show the text, `control` whether they follow strength and time, `command` writes the page.
"""
