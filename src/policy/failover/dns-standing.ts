/** Where names lead when not all has gone well, and what may be taken back: by what can be seen, never by a guess. Pure. */
import type { AnswerVerdict } from './dns-answers.ts';

/** What is there to be read: a zone, a switch, what a command prints or verifies. */
export type Held =
  /** As planned: it leads to the new site. */
  | 'as planned'
  /** As it was when the plan was made. */
  | 'as before'
  /** Neither: somebody else has changed it, or it was changed by half. */
  | 'otherwise'
  /** It can't be read now. */
  | 'unread'
  /** There is no way to read it. */
  | 'unreadable';

export interface EntryFacts {
  readonly title: string;
  readonly toSite: string;
  readonly held: Held;
  /** What was found instead, or why it could not be read. */
  readonly detail?: string;
  /** Of the name servers, for what is planned; absent where nobody can be asked. */
  readonly answered?: AnswerVerdict;
  /** What they said, server by server. */
  readonly answers: readonly string[];
}

export type Standing =
  /** They lead to the new site. */
  | 'here'
  /** What leads them there is made, and name servers do not say so yet: nothing has to be changed. */
  | 'on its way'
  /** They lead where they led when the plan was made. */
  | 'as before'
  /** They lead somewhere else, or nobody knows. */
  | 'unknown';

export interface Stands {
  readonly standing: Standing;
  /** For people, with the name of the entry first. */
  readonly words: string;
}

/**
 * The zone counts more than its servers, since it is what they will come to say. Where it can't be read the servers do, as far
 * as they say what is planned: silence, and an old answer beside a change that may still arrive, prove nothing.
 */
export function standingOf({ title, toSite, held, detail, answered, answers }: EntryFacts): Stands {
  const seen = answered === 'answered' || answered === 'answered by most';
  const said = answers.length === 0 ? '' : `; ${answers.join('; ')}`;
  const stands = (standing: Standing, text: string): Stands => ({ standing, words: `${title}: ${text}` });
  switch (held) {
    case 'as planned':
      if (seen || answered === undefined) return stands('here', `leads to ${toSite}${said}`);
      return stands('on its way', `is set to lead to ${toSite}, and not all name servers say so yet${said}`);
    case 'as before':
      if (!seen) return stands('as before', `was not changed, and leads where it led before${said}`);
      return stands('unknown', `is set as before, and its name servers answer with ${toSite}${said}`);
    case 'otherwise':
      return stands(
        'unknown',
        `is neither as before nor as planned, and was left as it is: ${detail ?? 'no detail'}${said}`,
      );
    case 'unread':
    case 'unreadable': {
      if (seen) return stands('here', `leads to ${toSite}, as its name servers say${said}`);
      const why = held === 'unread' ? `can not be read (${detail ?? 'no reason given'})` : 'has nothing to be read by';
      return stands('unknown', `${why}: it leads to ${toSite}, or where it led before${said}`);
    }
  }
}

export interface CommandFacts {
  /** What its `read` printed when the plan was made; absent: it has none. */
  readonly before: string | undefined;
  readonly now: string | undefined;
  /** Whether its `verify` finds the names at the new site; absent: it has none. */
  readonly verified: boolean | undefined;
}

/** How names that only a command knows of stand. What it reads says that nothing was changed; what it verifies, that all was. */
export function commandHeld({ before, now, verified }: CommandFacts): Held {
  if (verified === true) return 'as planned';
  if (now !== undefined && now === before) return 'as before';
  return now === undefined && verified === undefined ? 'unreadable' : 'otherwise';
}

/** Only what was changed here and still stands as it was left is put back; `leave` is told. */
export function commandRevert(facts: CommandFacts): 'put back' | 'as it was' | 'leave' {
  // With a state of before that is the one of now, nothing has been changed, whatever else is said of it.
  if (facts.now !== undefined && facts.now === facts.before) return 'as it was';
  return facts.verified === true ? 'put back' : 'leave';
}
