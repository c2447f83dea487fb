/** The frame of every page: head, banner, main, foot. */
import { html, type Html, type Shown } from '../html.ts';
import { isEngineStale, isSystemStale, type Knowledge } from '../facts.ts';
import { ROUTES } from '../links.ts';
import { icon, ICON_SHEET } from './icons.ts';
import { ageText } from '../ages.ts';
import { mark } from './parts.ts';

export interface Frame {
  readonly title: string;
  readonly path: string;
  readonly assets: Readonly<Record<'css' | 'js' | 'icon', string>>;
  readonly nowMs: number;
  /** Who it is, where a proxy said so. */
  readonly user?: string | undefined;
  /** Logged in by the form, so that logging out makes sense. */
  readonly session?: boolean | undefined;
  /** After how long a browser without script loads the page again. */
  readonly refreshSeconds?: number | undefined;
}

const REFRESH_SECONDS = 10;

/** Any page; without knowledge the banner tells nothing of the engine. */
export function layout(frame: Frame, main: Shown, knowledge?: Knowledge): Html {
  const { title, assets, refreshSeconds, path } = frame;
  const refresh =
    refreshSeconds === undefined ? undefined : html`<meta http-equiv="refresh" content="${refreshSeconds}" />`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        ${refresh}
        <link rel="stylesheet" href="${assets.css}" />
        <link rel="icon" href="${assets.icon}" type="image/svg+xml" />
        ${knowledge === undefined ? undefined : html`<script src="${assets.js}" defer></script>`}
      </head>
      <body>
        ${ICON_SHEET}
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <a class="name" href="${ROUTES.overview}">Holdfast</a>
          ${knowledge === undefined ? undefined : navigation(knowledge, path)}
          ${knowledge === undefined ? undefined : engineState(knowledge, frame.nowMs)}
        </header>
        <main id="main" tabindex="-1">
          <p class="lost" id="lost" role="alert" hidden></p>
          ${main}
        </main>
        <footer class="foot">
          ${knowledge === undefined ? undefined : html`<p id="as-of" data-live>${asOf(knowledge, frame.nowMs)}</p>`}
          <p class="quiet">
            ${knowledge === undefined ? undefined : refreshing(frame)} This page only reads: what changes something is
            typed. ${signedIn(frame)}
          </p>
        </footer>
      </body>
    </html>`;
}

function navigation({ systems }: Knowledge, path: string): Html {
  const link = (to: string, name: string): Html =>
    html`<li><a href="${to}" aria-current="${to === path ? 'page' : 'false'}">${name}</a></li>`;
  return html`<nav aria-label="Systems" id="systems" data-live>
    <ul>
      ${link(ROUTES.overview, 'Overview')}${systems.map(({ name }) => link(ROUTES.system(name), name))}
    </ul>
  </nav>`;
}

function engineState({ engine }: Knowledge, nowMs: number): Html {
  const { running, why = '', ui } = engine;
  const words =
    running === undefined
      ? mark('unknown', 'engine: not looked at yet')
      : isEngineStale(engine, nowMs)
        ? mark('unknown', 'engine: not known')
        : running
          ? mark('safe', 'engine runs')
          : html`<span title="${why}">${mark('danger', 'engine does not answer')}</span>`;
  const link =
    ui === undefined || running !== true
      ? undefined
      : html`<a href="${ui.url}" rel="noreferrer">Temporal UI${icon('out')}</a>`;
  return html`<p class="engine" id="engine" data-live>${words} ${link}</p>`;
}

/** How old what is shown is, with what is too old to be believed. */
function asOf({ engine, systems, lookedAtMs }: Knowledge, nowMs: number): Html {
  const of = (what: string, ms: number | undefined, stale: boolean): Html =>
    html`<span class="${stale ? 'stale' : 'quiet'}"
      >${what}
      ${ms === undefined ? 'not looked at yet' : `looked at ${ageText(ms, nowMs)}`}${stale ? ': too long ago to be believed' : ''}.</span
    >`;
  const oldest = systems.reduce<number | undefined>(
    (least, system) => (least === undefined ? system.lookedAtMs : Math.min(least, system.lookedAtMs ?? least)),
    lookedAtMs,
  );
  return html`${of('Engine', engine.lookedAtMs, isEngineStale(engine, nowMs))}
  ${of(
    'Stores',
    oldest,
    systems.some((system) => isSystemStale(system, nowMs)),
  )}`;
}

function refreshing({ refreshSeconds, path }: Frame): Html {
  const link =
    refreshSeconds === undefined
      ? html`<a href="${path}?refresh=${REFRESH_SECONDS}">Load it again every ${REFRESH_SECONDS} seconds</a>.`
      : html`Loaded again every ${refreshSeconds} seconds. <a href="${path}">Stop that</a>.`;
  return html`<noscript>${link}</noscript>`;
}

function signedIn({ user, session }: Frame): Shown {
  if (user !== undefined) return html`Signed in as ${user}.`;
  if (session !== true) return undefined;
  return html`<form method="post" action="${ROUTES.logout}">
    <button type="submit">Log out</button>
  </form>`;
}
