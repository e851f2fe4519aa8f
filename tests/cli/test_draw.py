from exactnet import Network


def test_draw(tmp_path, network, trained, run):
    for net in (network, trained):
        for ending, head in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
            path = tmp_path / f"{net.stem}{ending}"
            assert run("draw", net, "-o", path) == (0, f"wrote {path}\n", "")
            assert path.read_bytes().startswith(head)
            assert path.stat().st_size > 5000
    small = tmp_path / "small.png"
    assert run("draw", trained, "-o", small, "--dpi", "50")[0] == 0
    size = small.read_bytes()[16:24]  # width and height as PNG has them
    assert [int.from_bytes(size[:4], "big"), int.from_bytes(size[4:], "big")] == [400, 250]


def test_draw_inputs_as_images(tmp_path, run):
    net, path = tmp_path / "net", tmp_path / "net.svg"
    Network([64, 5, 2], seed=0).save(net)
    for arguments, count in (((), 5), (("--image", "none"), 0), (("--image", "4x16"), 5)):
        assert run("draw", net, "-o", path, *arguments)[0] == 0
        assert path.read_text().count("<image") == count
    Network([24, 3], seed=0).save(net)
    assert run("draw", net, "-o", path, "--image", "4x6")[0] == 0
    assert path.read_text().count("<image") == 3


def test_refusals_of_draw(tmp_path, data, network, trained, run):
    new = tmp_path / "new.png"
    svg = tmp_path / "net.svg"  # a network, whatever its name says
    svg.write_bytes(network.read_bytes())
    cases = [
        ((trained, "-o", tmp_path / "n.jpg"), "n.jpg: its name must end in .png or .svg"),
        ((trained, "-o", tmp_path / "n"), "n: its name must end in .png or .svg"),
        ((trained, "-o", tmp_path / "no/n.png"), "no/n.png: No such file"),
        ((svg, "-o", svg), "would replace what it is made from"),
        ((trained, "-o", new, "--dpi", "0"), "error: --dpi must be a positive integer, not 0"),
        ((trained, "-o", new, "--dpi", "9999"), "error: --dpi must be at most 1200, not 9999"),
        ((trained, "-o", new, "--image", "9x9"), "error: --image 9 x 9 does not fit"),
        ((tmp_path / "none", "-o", new), "none: No such file"),
        ((data, "-o", new), "data.csv: not a network file"),
        ((network, "-o", new, "--max-bytes", "9"), "more than the limit of 9"),
    ]
    for arguments, reason in cases:
        status, out, err = run("draw", *arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err, (arguments, err)
        assert not new.exists()
    assert svg.read_bytes() == network.read_bytes()
