/** The active site stops for another one that has asked for the system. Nothing of it is lost, whoever dies when. */
import { workflowInfo } from '@temporalio/workflow';
import type { HandoverInput, HandoverResult } from './contract.ts';
import { inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import { writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<HandoverInput> = {
  system: { ...NAME, required: true },
  n: { type: 'number', required: true },
  attempt: { type: 'number', required: true },
};

export async function handover(input: HandoverInput): Promise<HandoverResult> {
  const { system, n, attempt } = parseInput<HandoverInput>('handover', input, FIELDS);
  const story = new Story('handover', ['look', 'answer']);
  return inOneVoice(async () => {
    story.about(system);
    story.begin('look');
    const { hosts } = await orchestration.describeFailover({ system });
    const there = urgentlyOn(hosts[0] ?? '', { summary: 'who asks for the system' });
    const { request, answer } = await there.lookHandover({ system, n });
    if (request?.attempt !== attempt || answer !== undefined)
      return { outcome: 'over', why: 'it was answered already' };
    story.begin('answer');
    const why = 'this version of Holdfast can not stop for another site';
    const stands = await there.answerHandover({ system, n, attempt, outcome: 'refused', why });
    const result: HandoverResult = { outcome: 'refused', why: stands.why ?? why, to: request.site };
    await writeDown({ system, kind: 'handover', id: workflowInfo().runId, report: { ...result } });
    story.finish();
    return result;
  });
}
