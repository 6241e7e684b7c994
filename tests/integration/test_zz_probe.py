import time
def test_probe(stack, played):
    for d in (1,2,3,4):
        r = played.results[d]
        print(d, r.state, r.exit_code, r.balanced, r.seconds, r.built)
        for o in r.outcomes: print("   ", o.table.id, o.state, o.error)
    for n in ("day_1","day_2"):
        t=time.time(); stack.restore(n); print("restore", time.time()-t)
    t=time.time(); stack.save("x"); print("save", time.time()-t)
    t=time.time(); stack.restore("day_1", source="day_2"); r=stack.run(); print("run2", time.time()-t, r.seconds, r.built)
    t=time.time(); r=stack.run(); print("run2 again", time.time()-t, r.seconds, r.built)
    t=time.time(); p=stack.cli("run"); print("cli run", time.time()-t, p.stdout, p.stderr[-500:])
