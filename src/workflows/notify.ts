/**
 * Delivers one message to one channel, tried again for hours: beside the operation it tells of, which it can neither delay
 * nor fail. Fails when the channel could not be reached in that time, or refuses.
 */
import type { Notice } from '../policy/notices.ts';
import type { NotifyInput, NotifyResult } from './contract.ts';
import { inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { delivering } from './proxies.ts';
import { Story } from './story.ts';

const FIELDS: Fields<NotifyInput> = {
  system: { ...NAME, required: true },
  channel: { ...NAME, required: true },
  id: {
    type: 'string',
    required: true,
    like: { pattern: /^[\w-]{1,200}$/, words: 'letters, digits, dash and underscore' },
  },
  type: { type: 'string', required: true },
  at: { type: 'string', required: true },
  severity: { type: 'string', required: true, oneOf: ['critical', 'warning', 'info'] },
  title: { type: 'string', required: true },
  text: { type: 'string' },
  facts: { type: 'string' },
};

export async function notify(input: NotifyInput): Promise<NotifyResult> {
  const { system, channel, text = '', facts = '{}', ...rest } = parseInput<NotifyInput>('notify', input, FIELDS);
  const story = new Story('notify', ['deliver']);
  return inOneVoice(async () => {
    story.about(system);
    story.begin('deliver');
    const notice: Notice = { ...rest, system, text, facts: JSON.parse(facts) as Notice['facts'] };
    const taken = await delivering(`${notice.type} to ${channel}`, 'announcement').notify({ system, channel, notice });
    story.finish();
    const refused = taken?.refused;
    return { outcome: 'delivered', channel, id: notice.id, ...(refused === undefined ? {} : { refused }) };
  });
}
