/** Reads a backup back and says whether it is whole. Takes no lock: it changes nothing. */
import { silenceOf } from './capture.ts';
import type { VerifyInput, VerifyResult } from './contract.ts';
import { failure, inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, whileHostAnswers } from './proxies.ts';
import { writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<VerifyInput> = {
  system: { ...NAME, required: true },
  backup: { type: 'string' },
  plan: NAME,
  level: { type: 'string', oneOf: ['presence', 'content'] },
  store: NAME,
};

const STEPS = ['find the backup', 'verify', 'report'] as const;

/** A bad backup is an answer (`ok` false), not a failure. */
export async function verify(input: VerifyInput): Promise<VerifyResult> {
  const asked = parseInput<VerifyInput>('verify', input, FIELDS);
  const story = new Story('verify', STEPS);
  return inOneVoice(() => run(asked, story));
}

async function run(asked: VerifyInput, story: Story): Promise<VerifyResult> {
  const { system, backup = 'latest', level = 'content' } = asked;
  story.about(system);
  const facts = await orchestration.describeSystem({ system });
  const host = facts.components[0]?.host;
  if (host === undefined) throw failure('BadInput', `${system} has no components.`);

  story.begin('find the backup');
  const silentSeconds = silenceOf(facts);
  const wanted = {
    system,
    backup,
    ...(asked.plan === undefined ? {} : { plan: asked.plan }),
    ...(asked.store === undefined ? {} : { store: asked.store }),
  };
  const found = await whileHostAnswers(system, host, { summary: `find ${backup}`, silentSeconds }, (activities) =>
    activities.findBackup(wanted),
  );

  story.begin('verify');
  const { store, manifestKey } = found;
  const summary = `${level} of ${found.backup}`;
  const proof = await whileHostAnswers(system, host, { summary, silentSeconds }, (activities) =>
    activities.verifyBackup({ system, store, manifestKey, level }),
  );

  story.begin('report');
  const { ok, objectsChecked, bytesChecked, bad, moreBad } = proof;
  const result = { backup: found.backup, level, ok, objectsChecked, bytesChecked, bad, moreBad };
  await writeDown({ system, kind: 'verify', id: found.backup, report: result });
  story.finish();
  return result;
}
