# A delegate for node-gyp and prebuildify: CMake builds the addon into build/Release, where both look for it.
{
  "targets": [
    {
      "target_name": "spct",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/spct.node"],
          "action": ["node", "scripts/build.mjs"]
        }
      ]
    }
  ]
}
