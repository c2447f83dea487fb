/** Slack's incoming webhooks: a text in its own markup. */
import type { Notice } from '../policy/notices.ts';
import { fillTemplate } from '../policy/templates.ts';
import type { SlackChannel } from '../system/notify-types.ts';
import { resolveSecret } from '../system/secrets.ts';
import { post } from './post.ts';

const MARKS = { critical: ':red_circle:', warning: ':large_yellow_circle:', info: ':large_green_circle:' } as const;

/** What Slack reads as markup, such as a mention of everybody, stays text. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export function slackBody(channel: Pick<SlackChannel, 'template'>, notice: Notice): string {
  const mark = notice.type.endsWith('.failed') ? MARKS.critical : MARKS[notice.severity];
  const text =
    channel.template === undefined
      ? `${mark} *${escapeSlack(notice.title)}*\n${escapeSlack(notice.text)}`
      : fillTemplate(channel.template, notice, escapeSlack);
  return JSON.stringify({ text });
}

export async function sendSlack(channel: SlackChannel, notice: Notice, signal: AbortSignal): Promise<void> {
  const url = await resolveSecret(channel.url);
  await post(url, { channel: channel.name, headers: {}, body: slackBody(channel, notice), signal });
}
