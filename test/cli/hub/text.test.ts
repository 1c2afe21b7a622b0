import { expect, it } from 'vitest';
import { plain } from '../../../src/cli/hub/text.ts';

it('plain leaves nothing in a name that steers a terminal', () => {
  expect(plain('\u001b]0;x\u0007web\u009b31m\u202e-1\n')).toBe('\ufffd]0;x\ufffdweb\ufffd31m\ufffd-1\ufffd');
  expect(plain('wéb-1.例え')).toBe('wéb-1.例え');
});
