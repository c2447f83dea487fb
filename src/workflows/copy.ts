/**
 * Brings one store of a system up to what the others hold: every backup it should keep, newest first, and the
 * write-ahead log they need. Takes no lock of the system: it changes nothing but the target, and there it only adds. Waits
 * for a store that is away for as long as it takes.
 */
import { continueAsNew, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';
import type { CopyTurn } from '../activities/types.ts';
import { SIGNALS, type CopyInput, type CopyResult } from './contract.ts';
import { inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { copyingOn, orchestration } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

export const moreToCopySignal = defineSignal(SIGNALS.moreToCopy);

const FIELDS: Fields<CopyInput> = {
  system: { ...NAME, required: true },
  target: { ...NAME, required: true },
  backup: NAME,
  source: NAME,
  carried: { type: 'string' },
};

const STEPS = ['copy', 'report'] as const;
/** Each turn is a few events. */
const TURNS_IN_ONE_HISTORY = 200;

export async function copy(input: CopyInput): Promise<CopyResult> {
  const asked = parseInput<CopyInput>('copy', input, FIELDS);
  const story = new Story('copy', STEPS);
  return inOneVoice(() => reportingFailure(asked.system, 'copy', () => run(asked, story)));
}

async function run(asked: CopyInput, story: Story): Promise<CopyResult> {
  const { system, target } = asked;
  const told = { more: false };
  setHandler(moreToCopySignal, () => void (told.more = true), { description: 'A backup was made: look again' });
  story.about(system);
  const { carried, ...request } = asked;
  let result = carried === undefined ? nothingYet(target) : (JSON.parse(carried) as CopyResult);
  for (let turns = 1; ; turns += 1) {
    told.more = false;
    story.begin('copy');
    // Anew for each turn: the file may name another host by now.
    const { host } = await orchestration.describeCopy({ system, target });
    const turn = await copyingOn(host, `copy to ${target}`).copyTurn(request);
    result = withTurn(result, turn);
    if (turn.left === 0) {
      story.begin('report');
      await writeDown({ system, kind: 'copy', id: workflowInfo().runId, report: { ...result } });
      // A backup that was made meanwhile is copied as well, by this run: its name is taken.
      if (!isMore(told)) break;
    }
    if (turns >= TURNS_IN_ONE_HISTORY || workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof copy>({ ...request, carried: JSON.stringify(result) });
    }
  }
  story.finish();
  return result;
}

/** Read anew: a signal may have come during an await. */
function isMore(told: { readonly more: boolean }): boolean {
  return told.more;
}

function nothingYet(target: string): CopyResult {
  const none = { backups: 0, objects: 0, bytes: 0, replaced: 0, walPieces: 0, walBytes: 0 };
  return { target, ...none, refused: [], refusedCount: 0, verified: [], silent: [] };
}

/** Counts of all turns; what was refused, verified or silent is of the last, which has looked at everything. */
function withTurn(before: CopyResult, turn: CopyTurn): CopyResult {
  const { refused, refusedCount, silent } = turn;
  return {
    target: before.target,
    backups: before.backups + turn.backups,
    objects: before.objects + turn.objects,
    bytes: before.bytes + turn.bytes,
    replaced: before.replaced + turn.replaced,
    walPieces: before.walPieces + turn.walPieces,
    walBytes: before.walBytes + turn.walBytes,
    refused,
    refusedCount,
    verified: [...turn.verified, ...before.verified].slice(0, 20),
    silent,
  };
}
