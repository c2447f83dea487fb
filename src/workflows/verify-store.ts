/** Looks at whole stores and says what is bad in them; heals it when asked to. Takes no lock: restores go on beside it. */
import { isCancellation, workflowInfo } from '@temporalio/workflow';
import { silenceOf } from './capture.ts';
import type { StoreVerdict, VerifyStoreInput, VerifyStoreResult } from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, whileHostAnswers } from './proxies.ts';
import { writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<VerifyStoreInput> = {
  system: { ...NAME, required: true },
  store: NAME,
  level: { type: 'string', oneOf: ['presence', 'content'] },
  all: { type: 'boolean' },
  heal: { type: 'boolean' },
};

/** Bad objects are an answer (`ok` false). A store that cannot be asked is told, and the others are looked at. */
export async function verifyStore(input: VerifyStoreInput): Promise<VerifyStoreResult> {
  const asked = parseInput<VerifyStoreInput>('verifyStore', input, FIELDS);
  const story = new Story('verifyStore', ['find the stores']);
  return inOneVoice(() => run(asked, story));
}

async function run(asked: VerifyStoreInput, story: Story): Promise<VerifyStoreResult> {
  const { system, level = 'content', all = level === 'presence', heal = false } = asked;
  story.about(system);
  story.begin('find the stores');
  const facts = await orchestration.describeSystem({ system });
  const only = asked.store === undefined ? {} : { store: asked.store };
  const stores = await orchestration.describeStores({ system, ...only });
  const { runId } = workflowInfo();

  // One after another: two of them on one host would only share its disk and its line.
  const verdicts: StoreVerdict[] = [];
  const failed: VerifyStoreResult['failed'][number][] = [];
  for (const { name: store, host } of stores) {
    story.begin(`verify ${store}`);
    const options = { summary: `${level} of ${store}`, silentSeconds: silenceOf(facts) };
    try {
      const verdict = await whileHostAnswers(system, host, options, (activities) =>
        activities.verifyStore({ system, store, level, all, heal, runId }),
      );
      verdicts.push(verdict);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { code, message } = told(error);
      failed.push({ store, code, message });
    }
  }

  story.begin('report');
  const ok = failed.length === 0 && verdicts.every((verdict) => verdict.ok);
  const result: VerifyStoreResult = { ok, stores: verdicts, failed };
  await writeDown({ system, kind: 'verifyStore', id: runId, report: { ...result } });
  story.finish();
  return result;
}
