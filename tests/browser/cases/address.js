// The state in the address.
'use strict';
const assert = require('assert');
const {still, state, selected, choose, text} = require('../actions.js');

const everything = page =>
  page.evaluate(() => {
    const {state: now, view} = dlvizReport,
      round = value => Number(value.toPrecision(4));
    return JSON.stringify([
      now.run,
      now.map,
      now.frame,
      now.color,
      now.point,
      now.cell,
      now.diff,
      now.lasso,
      [...now.hidden].sort(),
      now.order,
      now.theme,
      now.home,
      round(view.scale),
      round(view.x),
      round(view.y),
      document.documentElement.dataset.theme,
    ]);
  });

async function reopened(page, context) {
  await still(page);
  await page.evaluate('dlvizReport.writeHash()');
  const hash = await page.evaluate('location.hash'),
    before = await everything(page),
    chosen = await selected(page);
  const again = await context.open(context.file, {hash});
  assert.strictEqual(await everything(again), before, hash);
  assert.deepStrictEqual(await selected(again), chosen);
  await again.evaluate('dlvizReport.writeHash()');
  assert.strictEqual(await again.evaluate('location.hash'), hash);
  return hash;
}

module.exports = {
  'everything returns by the link: map, color, epoch, cell, class, point, zoom, order, theme': async context => {
    const page = await context.open();
    await choose(page, 'map', 'PCA');
    await choose(page, 'color', 'confidence');
    await page.selectOption('#order', 'class');
    await page.click('#theme');
    await page.click('#legend [data-class="6"]');
    await page.click('.matrix button[data-cell="-1 5"]');
    await page.evaluate(() => setFrame(0));
    await still(page);
    await page.fill('#wanted', '12');
    await page.press('#wanted', 'Enter');
    await page.click('#closer');
    await page.waitForTimeout(60);
    const hash = await reopened(page, context);
    for (const part of ['map=PCA', 'color=confidence', 'order=class', 'theme=dark', 'hidden=6', 'cell=-1,5', 'point=12', 'zoom='])
      assert(hash.includes(part), `${hash} lacks ${part}`);
  },

  'a lasso returns with the same members': async context => {
    const page = await context.open(),
      box = await page.locator('#overlay').boundingBox(),
      x = box.x + box.width / 2,
      y = box.y + box.height / 2;
    await page.keyboard.down('Shift');
    await page.mouse.move(x - 150, y - 120);
    await page.mouse.down();
    for (const [dx, dy] of [
      [160, -110],
      [140, 90],
      [-60, 150],
    ])
      await page.mouse.move(x + dx, y + dy, {steps: 12});
    await page.mouse.up();
    await page.keyboard.up('Shift');
    assert((await selected(page)).length > 0);
    assert((await reopened(page, context)).includes('lasso='));
  },

  'runs and their differences return': async context => {
    if (!context.index || context.runs.length < 2) return;
    const page = await context.open(context.index);
    await page.selectOption('#run', '0');
    await page.click('#changes button >> nth=0');
    const hash = await reopened(page, {...context, file: context.index});
    assert(hash.includes('run=1') && hash.includes('change=1,2'), hash);
  },

  'the address follows what is done, and pages follow the address': async ({open}) => {
    const page = await open();
    await page.evaluate(() => selectPoint(3));
    await page.waitForTimeout(400);
    assert((await page.evaluate('location.hash')).includes('point=3'));
    await page.evaluate(() => {
      location.hash = '#color=errors&point=9';
    });
    await page.waitForTimeout(200);
    assert.strictEqual(await state(page, 'point'), 9);
    assert.strictEqual(await state(page, 'color'), 'errors');
    assert(await page.locator('input[name="color"][value="errors"]').isChecked());
    assert.strictEqual(await text(page, '#inspector h2'), 'Image 9');
  },

  'an address that means nothing is let pass': async ({open, run}) => {
    const junk = [
      '#',
      '#%',
      '#point=-1&cell=99,2&epoch=77&map=<b>&color=constructor',
      '#lasso=1,0,1,2,3&run=9&zoom=0,0,0',
      '#hidden=x,,1e9&change=1,1,1&order=__proto__',
      '#zoom=NaN,1,1&theme=pink&point=1e99&lasso=a',
    ];
    for (const hash of junk) {
      const page = await open(null, {hash});
      assert.strictEqual(await state(page, 'point'), -1, hash);
      assert.strictEqual(await state(page, 'home'), true, hash);
      assert.strictEqual((await selected(page)).length, run.n, hash);
    }
  },
};
