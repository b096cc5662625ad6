"""What is deployed besides the function: built small, checked symbol by symbol, published once per content.

Imports point one way: errors -> targets -> contents -> (elf, slimming, wheels, bytecode, archive, function)
-> (runtime_layer, model_layer, compatibility, sizes, proof) -> check -> (publish, package) -> __main__.
"""
