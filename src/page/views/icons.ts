/** The shapes that stand beside words: each verdict has one of its own, because colour alone tells some people nothing. */
import { html, type Html } from '../html.ts';

const CIRCLE = 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z';
const SHAPES = {
  safe: `${CIRCLE}m-1.4 14.6-4.2-4.2 1.6-1.6 2.6 2.6 5.6-5.7 1.6 1.6Z`,
  danger:
    'M8 2h8l6 6v8l-6 6H8l-6-6V8Zm1.3 5.8-1.500 1.500 2.700 2.700-2.700 2.700 1.500 1.500 2.700-2.700 2.700 2.700 1.500-1.500-2.700-2.700 2.700-2.700-1.500-1.500-2.700 2.700Z',
  attention: 'M12 2.5 1 21.500h22Zm-1.100 6.500h2.200v6.200h-2.200Zm0 7.600h2.200v2.200h-2.200Z',
  unknown: `${CIRCLE}m-1.100 13.600h2.200v2.200h-2.200Zm1.100-9.400c2.100 0 3.700 1.400 3.700 3.300 0 1.300-.7 2.100-1.500 2.700-.7.5-1 .9-1 1.700h-2.200c0-1.700.9-2.400 1.700-3 .6-.5.8-.8.8-1.300 0-.8-.6-1.300-1.500-1.300s-1.500.600-1.600 1.600l-2.100-.3c.2-2.100 1.700-3.400 3.700-3.400Z`,
  none: `${CIRCLE}m0 2.200a7.800 7.800 0 1 1 0 15.600 7.800 7.800 0 0 1 0-15.600Zm-4.500 6.700h9v2.200h-9Z`,
  runs: `${CIRCLE}m-2.500 5.200 7.500 4.800-7.500 4.800Z`,
  waits: `${CIRCLE}m-4 5.500h3v9h-3Zm5 0h3v9h-3Z`,
  out: 'M14 3h7v7h-2.200V6.800l-7.900 7.900-1.600-1.600 7.900-7.900H14ZM4 6h6v2.200H6.200v9.600h9.600V14H18v6H4Z',
} as const;

export type Icon = keyof typeof SHAPES;

/** Once on each page. */
export const ICON_SHEET: Html = html`<svg class="sheet" aria-hidden="true" width="0" height="0">
  ${Object.entries(SHAPES).map(
    ([name, path]) =>
      html`<symbol id="i-${name}" viewBox="0 0 24 24"><path fill-rule="evenodd" d="${path}" /></symbol>`,
  )}
</svg>`;

/** Decoration: what it means stands beside it in words. */
export function icon(name: Icon): Html {
  return html`<svg class="icon" aria-hidden="true" focusable="false"><use href="#i-${name}" /></svg>`;
}
