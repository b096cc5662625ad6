"""What is deployed besides the function: built small, checked symbol by symbol, published once per content.

Imports point one way, left to right:
    errors -> targets -> contents -> archive -> (bytecode, elf, function, resources, slimming, stages)
    -> (compatibility, vendor, wheels) -> (runtime_layer, model_layer, sizes, proof) -> check -> layer_set
    -> (layer_store, stack, template) -> state_machine
    -> (backing, package, publish) -> watching -> __main__
`compile_script` and `first_answer` are run by the target's own Python, and import nothing of this package.
"""
