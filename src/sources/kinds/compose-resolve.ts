/** The configuration as Compose itself resolves it, where Compose is at hand. */
import { join } from 'node:path';

import type { ComposeComponent } from '../../system/types.ts';
import { runProgram } from '../checks/program.ts';

const LIMIT_MS = 30_000;

/** The text of `docker compose config`, or why there is none; the inventory holds what really runs in any case. */
export async function resolvedConfiguration(
  component: ComposeComponent,
  signal: AbortSignal,
): Promise<{ text: string } | { why: string }> {
  const files = component.files.flatMap((file) => ['--file', join(component.directory, file)]);
  const command = ['docker', 'compose', '--project-name', component.project, ...files, 'config'];
  const outcome = await runProgram(command, { timeoutMs: LIMIT_MS, signal, cwd: component.directory }).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      return { exitCode: undefined, timedOut: false, output: error instanceof Error ? error.message : String(error) };
    },
  );
  // Both streams are in the output: a warning would make it something else than YAML, and is no resolved configuration.
  if (outcome.exitCode === 0 && outcome.output.startsWith('name:')) return { text: outcome.output };
  return { why: outcome.timedOut ? 'docker compose config did not end' : 'docker compose is not available here' };
}
