/** Any receiver of webhooks: the event as JSON, signed where there is a key. */
import type { Notice } from '../policy/notices.ts';
import { fillTemplate } from '../policy/templates.ts';
import type { WebhookChannel } from '../system/notify-types.ts';
import { resolveSecret } from '../system/secrets.ts';
import { post } from './post.ts';
import { signatureHeaders, signingKeyBytes } from './signature.ts';

/** The payload as Standard Webhooks recommends it: `type`, `timestamp` of the event, `data`. The same for each attempt. */
export function webhookBody(channel: Pick<WebhookChannel, 'template'>, notice: Notice): string {
  const { type, at, ...rest } = notice;
  const message = channel.template === undefined ? {} : { message: fillTemplate(channel.template, notice) };
  return JSON.stringify({ type, timestamp: at, data: { ...rest, ...message } });
}

export async function sendWebhook(channel: WebhookChannel, notice: Notice, signal: AbortSignal): Promise<void> {
  const url = await resolveSecret(channel.url);
  const key = channel.signingKey === undefined ? undefined : signingKeyBytes(await resolveSecret(channel.signingKey));
  const body = webhookBody(channel, notice);
  const headers = signatureHeaders(key, { id: notice.id, atMs: Date.now(), body });
  await post(url, { channel: channel.name, headers, body, signal });
}
