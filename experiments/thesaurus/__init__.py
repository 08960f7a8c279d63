"""How `eadnet/modules/thesaurus.tsv` is made: for words of feeling that no text encoder of ours has read, the
nearest that it has.
"""
