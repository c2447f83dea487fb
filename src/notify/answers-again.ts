/** Whether the receiver of a channel answers, asked without a message. */
import type { ChannelConfig } from '../system/types.ts';
import { resolveSecret } from '../system/secrets.ts';
import { answers } from './post.ts';

/** False where that can't be asked: of a program only a message tells. Never throws for what does not answer. */
export async function answersAgain(channel: ChannelConfig, signal: AbortSignal): Promise<boolean> {
  switch (channel.kind) {
    case 'slack':
    case 'webhook': {
      const url = await resolveSecret(channel.url).catch(() => undefined);
      return url !== undefined && answers(url, channel.name, signal);
    }
    case 'email': {
      // Loaded by those who send mail.
      const { mailServerAnswers } = await import('./email.ts');
      return mailServerAnswers(channel, signal);
    }
    case 'command':
      return false;
  }
}
