{
  # Nothing is compiled here: CMakeLists.txt is the only build truth. This makes node-gyp and prebuildify run the same cmake-js build;
  # --out keeps CMake's files out of build/, which node-gyp owns. Not in the published package: npm would build on the user's machine.
  "targets": [
    {
      "target_name": "sparse_kernels",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": ["<(module_root_dir)/CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/sparse_kernels.node"],
          "action": ["node", "<(module_root_dir)/scripts/build-for-gyp.mjs", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
