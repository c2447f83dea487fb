/**
 * The sample ledger's own check: a program that only reads, exits 0 for a whole ledger, 1 for a torn one, and prints one
 * line of JSON `{ok, records, head, debits, credits, problems}`.
 */
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { z } from 'zod';

import { CHECK_LABEL } from '../../docker/run.ts';
import type { DockerHost } from '../../docker/types.ts';
import { line, tail } from './report.ts';
import type { CheckLine } from './report.ts';
import { runProgram } from './program.ts';

const PROGRAM = fileURLToPath(new URL('../../../sample/ledger/check.ts', import.meta.url));
const LIMIT_MS = 30 * 60 * 1000;

const answerSchema = z.object({
  ok: z.boolean(),
  records: z.number(),
  head: z.string(),
  problems: z.array(z.string()).default([]),
});

export interface LedgerCheckContext {
  readonly docker: () => DockerHost;
  readonly signal: AbortSignal;
}

/** `file` is a scratch copy or a copy beside: it is opened for reading only. */
export async function checkLedger(
  file: string,
  image: string | undefined,
  context: LedgerCheckContext,
): Promise<CheckLine[]> {
  const outcome = image === undefined ? await onHost(file, context) : await inContainer(file, image, context);
  const answer = parseAnswer(outcome.output);
  if (answer === undefined) {
    return [line('ledger', false, `the checking program gave no answer (${outcome.end}): ${tail(outcome.output)}`)];
  }
  const ok = answer.ok && outcome.exitCode === 0;
  const facts = `${answer.records} records, head ${answer.head.slice(0, 16)}`;
  return [line('ledger', ok, ok ? facts : `${facts}; ${answer.problems.join('; ') || outcome.end}`)];
}

async function onHost(
  file: string,
  context: LedgerCheckContext,
): Promise<{ exitCode: number | undefined; end: string; output: string }> {
  const limits = { timeoutMs: LIMIT_MS, signal: context.signal };
  const outcome = await runProgram([process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM, file], limits);
  const { exitCode, killedBy, timedOut, output } = outcome;
  const end = timedOut ? 'not finished in time' : `exit ${exitCode ?? killedBy ?? 'unknown'}`;
  return { exitCode, end, output };
}

async function inContainer(
  file: string,
  image: string,
  context: LedgerCheckContext,
): Promise<{ exitCode: number | undefined; end: string; output: string }> {
  const { exitCode, output } = await context.docker().run({
    image,
    command: ['/app/ledger/check.ts', `/check/${basename(file)}`],
    binds: [`${dirname(file)}:/check:ro`],
    labels: { [CHECK_LABEL]: 'ledger' },
    network: 'none',
    timeoutMs: LIMIT_MS,
    signal: context.signal,
  });
  return { exitCode, end: `exit ${exitCode}`, output };
}

/** The last line that is such an answer; a program may print warnings before it. */
function parseAnswer(output: string): z.infer<typeof answerSchema> | undefined {
  for (const text of output.trim().split('\n').toReversed()) {
    try {
      const parsed = answerSchema.safeParse(JSON.parse(text));
      if (parsed.success) return parsed.data;
    } catch {
      // Not JSON: a line of something else.
    }
  }
  return undefined;
}
