// Stands for @mapbox/node-pre-gyp in the image, of which TensorFlow's package asks one thing when it is loaded: where its
// addon is. The rest of that package installs, and is left out (packages.mjs).
const { dirname, join } = require('node:path')

/** @param manifest  path of the package.json of the package that has the addon */
exports.find = (manifest) => {
  const { napi_versions: versions, module_name: name } = require(manifest).binary
  const newest = Math.max(...versions.filter((version) => version <= Number(process.versions.napi)))
  return join(dirname(manifest), 'lib', `napi-v${newest}`, `${name}.node`)
}
