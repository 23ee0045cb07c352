import { patchEvaluation } from './evaluation.js'
import { patchFilters } from './filters.js'
import { patchOperators } from './operators.js'
import { patchPrinting } from './printing.js'
import { patchTests } from './tests.js'
import { assertVersion } from './values.js'

/**
 * Replaces methods of @huggingface/jinja, for the whole process: what it prints otherwise than the Jinja and Python that
 * transformers renders templates with. Each patch says what it mends and which report upstream would make it unnecessary;
 * what Jinja has beyond is refused. tests/golden/text compares them with transformers and Jinja.
 * docs/adr/020-text-as-transformers-has-it.md tells more. To be called once, before the first template is rendered.
 *
 * @throws if another version of the package is installed
 */
export function installJinjaPatches(): void {
  assertVersion()
  patchEvaluation()
  patchFilters()
  patchOperators()
  patchPrinting()
  patchTests()
}
