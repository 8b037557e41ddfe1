// Without a pointer: everything can be reached, and is said.
'use strict';
const assert = require('assert');
const {skip, still, state, text, selected} = require('../actions.js');

const focused = page =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element.id || element.dataset.cell || element.dataset.class || element.dataset.point || element.name || element.tagName;
  });

module.exports = {
  'the tab key reaches every part, and leaves it': async ({open}) => {
    const page = await open(),
      reached = [];
    const stops = id =>
      page.evaluate(which => document.getElementById(which).querySelectorAll('button:not([tabindex="-1"])').length, id);
    for (const id of ['legend', 'matrix', 'gallery']) assert.strictEqual(await stops(id), 1, id);
    for (let k = 0; k < 60; k++) {
      await page.keyboard.press('Tab');
      const at = await focused(page);
      if (at === 'BODY') break;
      reached.push(at);
      const visible = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
      });
      assert(visible, `${at} does not show that it has the focus`);
    }
    for (const part of [
      'theme',
      'map',
      'color',
      'all',
      'none',
      'wanted',
      'lasso',
      'closer',
      'fit',
      'next-error',
      'overlay',
      'play',
      'epoch',
      'order',
      'measures',
      'layers',
    ]) {
      assert(reached.includes(part), `${part} is not among ${reached.join()}`);
    }
    assert(reached.length < 45, `${reached.length} stops: ${reached.join()}`);
    for (const id of ['legend', 'matrix', 'gallery']) assert.strictEqual(await stops(id), 1, id);
  },

  'on the map: arrows, Enter, E, Escape, pages, zoom; each point is said': async ({open, run}) => {
    const page = await open();
    await page.focus('#overlay');
    await page.keyboard.press('ArrowRight');
    const first = await state(page, 'hover');
    assert(first >= 0);
    const places = await page.evaluate(() => [...dlvizReport.standing.keys()].map(i => dlvizReport.place(i)));
    for (const [key, axis, sign] of [
      ['ArrowRight', 0, 1],
      ['ArrowDown', 1, 1],
      ['ArrowLeft', 0, -1],
      ['ArrowUp', 1, -1],
    ]) {
      const from = await state(page, 'hover');
      await page.keyboard.press(key);
      const to = await state(page, 'hover');
      assert(to !== from && sign * (places[to][axis] - places[from][axis]) > 0, `${key} from ${from} to ${to}`);
      assert((await text(page, '#status')).startsWith(`Image ${to}: true class ${run.labels[to]}, predicted ${run.said[to]}`));
    }
    const at = await state(page, 'hover');
    await page.keyboard.press('Enter');
    assert.strictEqual(await state(page, 'point'), at);
    await page.keyboard.press('PageDown');
    assert.strictEqual(await state(page, 'hover'), at + 1);
    await page.keyboard.press('PageUp');
    assert.strictEqual(await state(page, 'hover'), at);
    await page.keyboard.press('e');
    const error = run.wrong.find(i => i > at) || run.wrong[0];
    assert.strictEqual(await state(page, 'point'), error);
    assert((await text(page, '#status')).includes('wrong'));
    const scale = await page.evaluate('dlvizReport.view.scale');
    await page.keyboard.press('+');
    await page.waitForTimeout(60);
    assert((await page.evaluate('dlvizReport.view.scale')) > scale);
    const x = await page.evaluate('dlvizReport.view.x');
    await page.keyboard.press('Shift+ArrowRight');
    await page.waitForTimeout(60);
    assert((await page.evaluate('dlvizReport.view.x')) > x);
    await page.keyboard.press('0');
    assert.strictEqual(await page.evaluate('dlvizReport.view.scale'), scale);
    await page.keyboard.press('Escape');
    assert.strictEqual(await state(page, 'point'), -1);
  },

  'arrows reach most points, page keys all': async ({open, run}) => {
    const page = await open();
    await page.focus('#overlay');
    for (let k = 0; k < 5; k++) await page.keyboard.press('PageDown');
    assert.strictEqual(await state(page, 'hover'), 4);
    await page.evaluate(last => hoverPoint(last, false), run.n - 1);
    await page.keyboard.press('PageDown');
    assert.strictEqual(await state(page, 'hover'), 0);
  },

  'in the matrix: arrows go between cells, Enter selects, and the focus stays': async ({open, run}) => {
    const page = await open();
    await page.focus('.matrix button[tabindex="0"]');
    const from = await focused(page);
    await page.keyboard.press('ArrowRight');
    assert.notStrictEqual(await focused(page), from);
    await page.focus('.matrix button[data-cell="3 3"]');
    await page.keyboard.press('Enter');
    assert.deepStrictEqual(await state(page, 'cell'), [3, 3]);
    assert.strictEqual(await focused(page), '3 3');
    assert.deepStrictEqual(
      await selected(page),
      [...run.labels.keys()].filter(i => run.labels[i] === 3 && run.said[i] === 3)
    );
    assert((await text(page, '#status')).startsWith('True 3, predicted 3: '));
    await page.keyboard.press('ArrowLeft');
    const [truth] = (await focused(page)).split(' ');
    assert.strictEqual(truth, '3');
    await page.keyboard.press('Home');
    assert.strictEqual(await focused(page), '-1 0');
  },

  'in the legend and the gallery': async ({open, run}) => {
    const page = await open();
    await page.focus('#legend button[tabindex="0"]');
    await page.keyboard.press('ArrowDown');
    assert.strictEqual(await focused(page), '1');
    await page.keyboard.press('Space');
    assert.strictEqual((await selected(page)).length, run.n - run.labels.filter(label => label === 1).length);
    assert.strictEqual(await focused(page), '1');
    await page.focus('#gallery button[tabindex="0"]');
    await page.keyboard.press('ArrowRight');
    const point = Number(await focused(page));
    await page.keyboard.press('Enter');
    assert.strictEqual(await state(page, 'point'), point);
    await page.keyboard.press('ArrowDown');
    assert.notStrictEqual(Number(await focused(page)), point);
  },

  'the neighbors by keys, one after the other': async ({open}) => {
    const page = await open();
    await page.evaluate(() => selectPoint(0));
    await page.focus('#neighbors button');
    await page.keyboard.press('ArrowRight');
    const next = Number(await focused(page));
    await page.keyboard.press('Enter');
    assert.strictEqual(await state(page, 'point'), next);
    assert(await page.evaluate(() => document.getElementById('neighbors').contains(document.activeElement)));
  },

  'maps, colors and the epoch by keys': async ({open}) => {
    const page = await open();
    await page.focus('input[name="map"]:checked');
    await page.keyboard.press('ArrowDown');
    await still(page);
    assert.strictEqual(await state(page, 'map'), 1);
    await page.focus('input[name="color"]:checked');
    await page.keyboard.press('ArrowDown');
    assert.strictEqual(await state(page, 'color'), 'prediction');
    if (!(await page.locator('#epoch').isVisible())) skip('the page has one epoch');
    await page.focus('#epoch');
    await page.keyboard.press('ArrowLeft');
    const said = await page.getAttribute('#epoch', 'aria-valuetext');
    assert(said.startsWith('Epoch ') && said.includes('right'), said);
  },
};
