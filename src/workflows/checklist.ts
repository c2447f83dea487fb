/** Goes through a checklist and keeps the report: what people have to sign for stays open in it. Takes no lock. */
import type { ChecklistInput, ChecklistResult } from './contract.ts';
import { inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { onHost, orchestration } from './proxies.ts';
import { Story } from './story.ts';

const FIELDS: Fields<ChecklistInput> = {
  system: { ...NAME, required: true },
  list: { ...NAME, required: true },
};

export async function checklist(input: ChecklistInput): Promise<ChecklistResult> {
  const { system, list } = parseInput<ChecklistInput>('checklist', input, FIELDS);
  const story = new Story('checklist', ['go through']);
  return inOneVoice(async () => {
    story.about(system);
    story.begin('go through');
    const [store] = await orchestration.describeStores({ system });
    // Where a store is maintained lies the key that signs reports.
    const { goThrough } = onHost(store?.host ?? '', { summary: `checklist ${list}`, patience: 'sparing' });
    const result = await goThrough({ system, list });
    story.finish();
    return result;
  });
}
