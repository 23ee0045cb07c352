import type { Format } from './format.js'
import { anythingLlm } from './formats/anythingllm.js'
import { argilla } from './formats/argilla.js'
import { dify } from './formats/dify.js'
import { flowise } from './formats/flowise.js'
import { labelStudio } from './formats/label-studio.js'
import { langfuse } from './formats/langfuse.js'
import { langsmith } from './formats/langsmith.js'
import { librechat } from './formats/librechat.js'
import { mlflow } from './formats/mlflow.js'
import { openWebUi } from './formats/open-webui.js'
import { phoenix } from './formats/phoenix.js'
import { preference } from './formats/preference.js'
import { unpaired } from './formats/unpaired.js'

/** Every format that `bcod import` reads. */
export const FORMATS: readonly Format[] = [
  ...[openWebUi, langfuse, dify, librechat, unpaired, preference],
  ...[langsmith, mlflow, phoenix, flowise, anythingLlm, labelStudio, argilla],
]
