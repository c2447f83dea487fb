/** Pages without knowledge: not there, log in, refused. */
import { html, type Html } from '../html.ts';
import { ROUTES } from '../links.ts';

export function notFound(what: string): Html {
  return html`<h1>Not there</h1>
    <p>${what}</p>
    <p><a href="${ROUTES.overview}">To the overview</a></p>`;
}

export function refused(title: string, why: string): Html {
  return html`<h1>${title}</h1>
    <p>${why}</p>`;
}

export function loginForm(trouble: string | undefined): Html {
  return html`<h1>Log in</h1>
    ${trouble === undefined ? undefined : html`<p class="warning" role="alert">${trouble}</p>`}
    <form method="post" action="${ROUTES.login}" class="login">
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required autofocus />
      <button type="submit">Look</button>
    </form>
    <p class="quiet">It is the one that <code>holdfast up --page-token-file</code> names.</p>`;
}
